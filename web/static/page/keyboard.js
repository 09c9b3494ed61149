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
    [["[", "<"], "Slower", () => playback.faster(-1)],
    [["]", ">"], "Faster", () => playback.faster(1)],
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

// By their place on the keyboard, if what they write is no shortcut: many keyboards have no direct [ and ].
const PLACES = { BracketLeft: "[", BracketRight: "]" };
const ON_THE_BAR = { ArrowUp: "ArrowRight", ArrowDown: "ArrowLeft" };
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
    if (event.defaultPrevented || isBrowserShortcut(event) || byId("help").open || belongsToControl(event)) return;
    if (event.key === "Escape" && byId("panels").matches(":popover-open")) return; // the browser closes it
    const action = actions.get(nameOf(event)) ?? actions.get(PLACES[event.code]);
    if (!action) return;
    event.preventDefault();
    if (event.key === "Escape" && event.target.matches(TYPING)) event.target.blur();
    else action();
  });
}

const TYPING = "input:not([type=range]):not([type=checkbox]), select, textarea";

/** Shortcuts with Ctrl, Alt or Meta are the browser's; AltGr, which some systems report as Ctrl and Alt, writes characters. */
function isBrowserShortcut(event) {
  return event.metaKey || ((event.ctrlKey || event.altKey) && !event.getModifierState("AltGraph"));
}

/** The name of a key in the list of shortcuts. */
function nameOf({ key, shiftKey, target }) {
  const name = (target.id === "bar" && ON_THE_BAR[key]) || key;
  return (shiftKey && name.startsWith("Arrow") ? "Shift+" : "") + (name.length === 1 ? name.toLowerCase() : name);
}

/** Whether the focused control uses the key itself. */
function belongsToControl({ key, target }) {
  if (target.matches("select")) return usesKey(target, key);
  if (target.matches(TYPING)) return key !== "Escape";
  if ((key === " " || key === "Enter") && target.closest("button, a, summary, tr[tabindex], [role=button], [type=checkbox]")) return true;
  if (target.matches("input[type=range]") && key.startsWith("Page")) return true;
  return Boolean(target.closest(".scroll, .tower-scroll, .list-scroll")) && (key === "Home" || key === "End");
}

/** A list uses every key while it is open, else those that move in it and the first letters of its options. */
function usesKey(select, key) {
  if (CSS.supports("selector(:open)") && select.matches(":open")) return true;
  if (key.length > 1) return key !== "Escape";
  return key !== " " && [...select.options].some((option) => option.text.toLowerCase().startsWith(key.toLowerCase()));
}
