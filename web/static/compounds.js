// Compounds of tyres: one letter or two, and a colour of theme.css. What a colour says is also said by letters.

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

/** Letter and colour of a compound as a source names it; of an unknown one `?` and grey. */
export function compoundOf(name) {
  return COMPOUNDS.get(name) ?? UNKNOWN;
}
