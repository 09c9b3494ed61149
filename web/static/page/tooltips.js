// Explanations for touch and keyboard. Every explanation of the page is a `title`, which browsers show to a mouse only.
// A touch of the element shows it in a popover, and so does the keyboard's focus; of a row of the timing table all of
// its explanations. Escape, a touch elsewhere and scrolling hide it.

import { byId } from "./dom.js";

const EDGE_PX = 8; // between the popover and the edge of the window

export function bindTooltips() {
  const tip = byId("tip");
  let touched = false;
  const shows = () => tip.matches(":popover-open");
  const hide = () => shows() && tip.hidePopover();

  function show(near, lines) {
    hide();
    if (!lines.length) return;
    tip.textContent = lines.join("\n");
    tip.showPopover();
    const [box, own] = [near.getBoundingClientRect(), tip.getBoundingClientRect()];
    const below = box.bottom + own.height + EDGE_PX < window.innerHeight;
    tip.style.setProperty("--x", `${Math.max(EDGE_PX, Math.min(box.left, window.innerWidth - own.width - EDGE_PX))}px`);
    tip.style.setProperty("--y", `${below ? box.bottom + 4 : Math.max(EDGE_PX, box.top - own.height - 4)}px`);
  }

  document.addEventListener("pointerdown", (event) => {
    touched = event.pointerType === "touch";
    hide();
  }, true);
  document.addEventListener("click", (event) => {
    const explained = touched && event.target.closest("[title]");
    if (!explained?.title) return;
    // A touch of an explained cell is not meant to select its driver.
    if (explained.closest("#rows") && !event.target.closest("button")) event.stopPropagation();
    show(explained, [explained.title]);
  }, true);
  document.addEventListener("focusin", ({ target }) => {
    hide();
    if (!touched && target.matches(":focus-visible")) show(target, explanations(target));
  });
  document.addEventListener("focusout", hide);
  document.addEventListener("scroll", hide, true);
  document.addEventListener("keydown", (event) => {
    touched = false;
    if (!shows()) return;
    if (event.key === "Escape") event.preventDefault(); // the page's own shortcut
    hide(); // any key may lead to another moment
  }, true);
}

/** What explains a focused element: its own title or, of a row's button, those of the whole row with their columns. */
function explanations(target) {
  const row = target.closest("#rows tr");
  if (!row) return target.title ? [target.title] : [];
  return [...row.cells].flatMap((cell) => {
    const head = document.querySelector(`#tower thead [data-col="${cell.dataset.col}"]`).textContent;
    return [cell, ...cell.querySelectorAll("[title]")].filter(({ title }) => title).map(({ title }) => (cell.dataset.col === "driver" ? title : `${head}: ${title.replaceAll("\n", "; ")}`));
  });
}
