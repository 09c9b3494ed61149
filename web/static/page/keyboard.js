// Keyboard shortcuts: every button of the page has one, and "?" lists them all.

import { byId, element } from "./dom.js";

/** All shortcuts: `[keys, description, action, id of the description]`, the last one where the description changes. */
function shortcuts(playback, selection) {
  const skip = (ms) => () => playback.skip(ms);
  const click = (id) => () => byId(id).click();
  const focus = (id) => () => byId(id).focus();
  return [
    [[" ", "k"], "Play or pause", () => playback.toggle()],
    [["ArrowLeft"], "Back 5 s", skip(-5000)],
    [["ArrowRight"], "Forward 5 s", skip(5000)],
    [["Shift+ArrowLeft"], "Back a minute", skip(-60000)],
    [["Shift+ArrowRight"], "Forward a minute", skip(60000)],
    [[","], "Back one frame (0.2 s)", () => playback.step(-1)],
    [["."], "Forward one frame (0.2 s)", () => playback.step(1)],
    [["["], "Slower", () => playback.faster(-1)],
    [["]"], "Faster", () => playback.faster(1)],
    [["Home"], "Go to the start", () => playback.lap(1)],
    [["l", "End"], "Go live", () => playback.live(), "key-live"],
    [["-"], "Delay 0.1 s less", () => playback.setDelay(playback.delay - 100)],
    [["+", "="], "Delay 0.1 s more", () => playback.setDelay(playback.delay + 100)],
    [["j"], "Go to a lap", focus("lap-number")],
    [["b"], "Focus the session's timeline", focus("bar")],
    [["r"], "Reveal what happens later, or hide it", click("reveal")],
    [["Escape"], "Deselect all drivers", () => selection.clear()],
    [["p"], "Choose panels", click("panels-button")],
    [["s"], "Sound for race control", click("sound")],
    [["g"], "Gaps of lapped cars in laps or seconds", click("seconds")],
    [["t"], "Dark or light theme", click("theme")],
    [["?"], "Show these shortcuts", click("help-button")],
  ];
}

const KEY_NAMES = { " ": "Space", ArrowLeft: "←", ArrowRight: "→", "Shift+ArrowLeft": "Shift ←", "Shift+ArrowRight": "Shift →", Escape: "Esc" };

/** Fill the list of shortcuts and listen to them. */
export function bindKeys(playback, selection) {
  const all = shortcuts(playback, selection);
  const actions = new Map(all.flatMap(([keys, , action]) => keys.map((key) => [key, action])));
  byId("keys").replaceChildren(...all.map(([keys, description, , id]) => {
    const [names, meaning] = [keys.map((key) => element("kbd", "", KEY_NAMES[key] ?? key.toUpperCase())), element("dd", "", description)];
    if (id) meaning.id = id;
    return element("div", "", [element("dt", "", names), meaning]);
  }));
  byId("help-button").addEventListener("click", () => byId("help").showModal());
  byId("help-close").addEventListener("click", () => byId("help").close());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || byId("help").open) return;
    const target = event.target;
    const typing = target.matches("input:not([type=range]):not([type=checkbox]), select, textarea");
    if (typing && event.key !== "Escape") return;
    // The focused control keeps the keys that it uses itself.
    if ((event.key === " " || event.key === "Enter") && target.closest("button, a, summary, tr[tabindex], [role=button], input")) return;
    if (target.matches("input[type=range]") && /^(Arrow|Home|End|Page)/.test(event.key)) return;
    if (target.closest(".scroll, .tower-scroll, .list-scroll") && /^(Home|End)$/.test(event.key)) return;
    const action = actions.get((event.shiftKey && event.key.startsWith("Arrow") ? "Shift+" : "") + (event.key.length === 1 ? event.key.toLowerCase() : event.key));
    if (!action) return;
    event.preventDefault();
    if (typing) target.blur();
    else action();
  });
}
