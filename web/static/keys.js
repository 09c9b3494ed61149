// The keyboard: every button of the page has a key, and ? shows them all.

import { element } from "./tower/tower.js";

const $ = (id) => document.getElementById(id);

/** Keys by what they do: `[keys, what, act]`. */
function bindings({ remote, selection }) {
  const skip = (ms) => () => remote.seek((remote.here() ?? 0) + ms);
  const press = (id) => () => $(id).click();
  const focus = (id) => () => $(id).focus();
  return [
    [[" ", "k"], "Play or pause", () => remote.toggle()],
    [["ArrowLeft"], "Back 5 s", skip(-5000)],
    [["ArrowRight"], "On 5 s", skip(5000)],
    [["Shift+ArrowLeft"], "Back a minute", skip(-60000)],
    [["Shift+ArrowRight"], "On a minute", skip(60000)],
    [[","], "One frame back (0.2 s)", () => remote.step(-1)],
    [["."], "One frame on (0.2 s)", () => remote.step(1)],
    [["["], "Slower", () => remote.faster(-1)],
    [["]"], "Faster", () => remote.faster(1)],
    [["Home"], "To the start", () => remote.lap(1)],
    [["l", "End"], "Live", () => remote.live()],
    [["-"], "Delay 0.1 s less", () => remote.setDelay(remote.delay - 100)],
    [["+", "="], "Delay 0.1 s more", () => remote.setDelay(remote.delay + 100)],
    [["j"], "Jump to a lap", focus("lap-number")],
    [["b"], "To the bar of the session", focus("bar")],
    [["r"], "Reveal what comes later, or hide it", press("reveal")],
    [["Escape"], "Select no driver", () => selection.clear()],
    [["p"], "Choose panels", press("panels-button")],
    [["s"], "Sound of race control", press("sound")],
    [["g"], "Gaps of lapped cars in laps or seconds", press("seconds")],
    [["t"], "Dark or light", press("theme")],
    [["?"], "These keys", press("help-button")],
  ];
}

const NAMES = { " ": "Space", ArrowLeft: "←", ArrowRight: "→", "Shift+ArrowLeft": "Shift ←", "Shift+ArrowRight": "Shift →", Escape: "Esc" };

export function bindKeys(parts) {
  const all = bindings(parts);
  const acts = new Map(all.flatMap(([keys, , act]) => keys.map((key) => [key, act])));
  $("keys").replaceChildren(...all.map(([keys, what]) => element("div", "", [
    element("dt", "", keys.map((key) => element("kbd", "", NAMES[key] ?? key.toUpperCase()))),
    element("dd", "", what),
  ])));
  $("help-button").addEventListener("click", () => $("help").showModal());
  $("help-close").addEventListener("click", () => $("help").close());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || $("help").open) return;
    const target = event.target;
    const typing = target.matches("input:not([type=range]):not([type=checkbox]), select, textarea");
    if (typing && event.key !== "Escape") return;
    // A control that uses the key itself keeps it.
    if ((event.key === " " || event.key === "Enter") && target.closest("button, a, summary, tr[tabindex], [role=button], input")) return;
    if (target.matches("input[type=range]") && /^(Arrow|Home|End|Page)/.test(event.key)) return;
    if (target.closest(".scroll, .tower-scroll, .list-scroll") && /^(Home|End)$/.test(event.key)) return;
    const act = acts.get((event.shiftKey && event.key.startsWith("Arrow") ? "Shift+" : "") + (event.key.length === 1 ? event.key.toLowerCase() : event.key));
    if (!act) return;
    event.preventDefault();
    if (typing) target.blur();
    else act();
  });
}
