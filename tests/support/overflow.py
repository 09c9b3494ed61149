"""Texts of the page's timing table that leave their cell, for many moments of a race at once."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Page

FILL = """async (states) => {
    const { Tower } = await import("/static/tower/tower.js");
    const { FrameBuffer } = await import("/static/session/frames.js");
    const table = document.getElementById("tower");
    const body = table.tBodies[0].cloneNode(false);
    body.removeAttribute("id");
    table.tBodies[0].remove();
    const tower = new Tower(table.appendChild(body), { onChange() {}, has: () => false, toggle() {} });
    const seen = new Set();
    const isNew = (row) => [...row.cells].filter((cell) => {
        const hidden = cell.querySelectorAll("[hidden]").length;
        const shape = [row.dataset.status, cell.dataset.col, hidden, cell.textContent.replace(/\\d/g, "0")].join();
        return !seen.has(shape) && seen.add(shape);
    }).length > 0;
    const shown = states.map(({ head, frame }) => {
        const buffer = new FrameBuffer();
        buffer.setHead(head);
        const snapshot = buffer.addFrame({ ...frame, kind: "key", key_t: frame.t });
        tower.render({ snapshot, silence: 0, history: { laps: () => new Map() }, t: frame.t });
        const copy = body.cloneNode(true);
        copy.dataset.lap = snapshot.race.lap;
        for (const row of [...copy.rows].filter((row) => !isNew(row) && row !== copy.rows[0])) row.remove();
        return copy;
    });
    body.replaceWith(...shown);
}"""
"""Fills the table with one body for each state of the API; rows whose texts differ from earlier ones only in their
digits are left out, because all digits have the same width. The page goes on with the body that is taken out."""

OUTSIDE = """() => {
    const range = document.createRange();
    const found = [];
    for (const cell of document.querySelectorAll("#tower :is(th, td)")) {
        const box = cell.getBoundingClientRect();
        const texts = box.width ? document.createTreeWalker(cell, NodeFilter.SHOW_TEXT) : { nextNode: () => null };
        while (texts.nextNode()) {
            const parent = texts.currentNode.parentElement;
            // A long name may end in an ellipsis.
            if (parent.closest(".sr, .name, [hidden]")) continue;
            range.selectNodeContents(texts.currentNode);
            const text = range.getBoundingClientRect();
            const cut = parent !== cell && parent.scrollWidth > parent.clientWidth + 1 && parent.clientWidth;
            const by = Math.max(box.left - text.left, text.right - box.right, box.top - text.top, text.bottom - box.bottom);
            const lap = cell.closest("tbody")?.dataset.lap ?? "head";
            if (text.width && (cut || by > 1)) found.push(`${cell.dataset.col} "${range}" by ${by.toFixed(1)} px, lap ${lap}`);
        }
    }
    return found;
}"""  # noqa: E501
"""A text is outside when it leaves its cell by more than a pixel, or is cut by an element in it."""


async def fill(page: Page, states: list[dict[str, Any]]) -> None:
    """Show the table of every state below each other."""
    await page.evaluate(FILL, states)


async def outside(page: Page) -> list[str]:
    found: list[str] = await page.evaluate(OUTSIDE)
    return found
