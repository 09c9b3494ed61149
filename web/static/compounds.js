// Tyre compounds: one or two letters and a colour of theme.css. Letters are always shown too, for viewers who cannot
// tell the colours apart.

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
