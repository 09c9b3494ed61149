// What the feed's track statuses, flags and tyre compounds mean, and their colours (variables of theme.css). This is the
// only table of them. Letters and words are always shown too, for viewers who cannot tell the colours apart.

const TRACK_STATUSES = new Map([
  ["1", { kind: "clear", sentence: "Track clear", color: null }],
  ["2", { kind: "yellow", sentence: "Yellow flag", color: "--yellow" }],
  ["4", { kind: "safety", sentence: "Safety car", color: "--safety" }],
  ["5", { kind: "red", sentence: "Red flag", color: "--red" }],
  ["6", { kind: "safety", sentence: "Virtual safety car", color: "--safety" }],
  ["7", { kind: "safety", sentence: "Virtual safety car ending", color: "--safety" }],
]);

/** `{kind, sentence, color}` of a track status by the feed's number; undefined if it is unknown. `color` null: not drawn. */
export function trackStatusOf(number) {
  return TRACK_STATUSES.get(String(number));
}

const COMPOUNDS = new Map([
  ["HYPERSOFT", { letter: "HS", color: "--hypersoft" }],
  ["ULTRASOFT", { letter: "US", color: "--ultrasoft" }],
  ["SUPERSOFT", { letter: "SS", color: "--supersoft" }],
  ["SOFT", { letter: "S", color: "--soft" }],
  ["MEDIUM", { letter: "M", color: "--medium" }],
  ["HARD", { letter: "H", color: "--hard" }],
  ["SUPERHARD", { letter: "SH", color: "--superhard" }],
  ["INTERMEDIATE", { letter: "I", color: "--inter" }],
  ["WET", { letter: "W", color: "--wet" }],
]);
const UNKNOWN = { letter: "?", color: "--muted" };

/** `{letter, color}` of a compound by its name in the feed; `?` and grey if the name is unknown. */
export function compoundOf(name) {
  return COMPOUNDS.get(name) ?? UNKNOWN;
}
