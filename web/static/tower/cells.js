// The contents of the timing tower's cells, as lists of nodes or as text.

import { compoundOf } from "../page/flags-and-compounds.js";
import { element, placesGained, symbol } from "../page/dom.js";
import { NONE, countdown, lapTime } from "../page/format.js";

/** The position with the places gained or lost since the grid; `entry` null omits these. */
export function positionParts(position, entry) {
  const gained = position && entry?.grid_position ? entry.grid_position - position : 0;
  if (!gained) return [String(position || NONE)];
  return [String(position), placesGained(gained, `${gained > 0 ? "▲" : "▼"}${Math.abs(gained)}`)];
}

/** A car's place relative to the cut of a qualifying part: "last" that goes on, "below" the cut, or "". */
export function cutState(car, race) {
  if (race.goes_on == null || car.status === "eliminated") return "";
  return car.position === race.goes_on ? "last" : car.position > race.goes_on ? "below" : "";
}

/** A lap time with its mark: "personal" best, "overall" best, or none. */
export function markedTime(ms, mark) {
  const time = element("span", mark ?? "", lapTime(ms));
  if (mark === "personal") return [time, symbol("PB", "personal", "personal best")];
  if (mark === "overall") return [time, symbol("★", "overall", "best of all")];
  return [time];
}

/** The current compound with its age in laps; earlier stints as dots, and all stints in the tooltip. */
export function tyreParts({ compound, tyre_age: laps, stints }) {
  if (!compound) return [NONE];
  const letter = withCompoundColor(element("i", "compound", compoundOf(compound).letter), compound);
  letter.setAttribute("aria-hidden", "true");
  const past = (stints ?? []).slice(0, -1).map((stint) => withCompoundColor(element("i"), stint.compound));
  const before = element("span", "past", past);
  before.setAttribute("aria-hidden", "true");
  const set = element("span", "tyre", [before, letter, element("span", "sr", `${compoundName(compound)} `), element("span", "tyre-age", laps ?? NONE), element("span", "sr", " laps")]);
  const history = (stints ?? []).map((stint) => `${compoundName(stint.compound)}: ${stint.laps} laps from lap ${stint.first_lap}${stint.fresh === false ? ", used" : ""}`);
  set.title = history.length ? history.join("\n") : laps == null ? compoundName(compound) : `${compoundName(compound)}, ${laps} laps`;
  return [set];
}

const LONG_STOP_MS = 100000; // under a red flag: shown in minutes and without the time stationary

/** The last stop's time in the pit lane and stationary, in seconds; empty if it was not measured. */
export function stopsSummary(car) {
  const last = car.pit_stops?.at(-1);
  if (last?.pit_lane_ms == null) return "";
  if (last.pit_lane_ms >= LONG_STOP_MS) return countdown(last.pit_lane_ms);
  return seconds(last.pit_lane_ms) + (last.stationary_ms == null ? "" : ` · ${seconds(last.stationary_ms)}`);
}

/** All stops, one per line. */
export function stopsTitle(car) {
  return (car.pit_stops ?? []).map((stop) => {
    const parts = [`Lap ${stop.lap}`];
    if (stop.pit_lane_ms != null) parts.push(`${seconds(stop.pit_lane_ms)} s in the pit lane`);
    if (stop.stationary_ms != null) parts.push(`${seconds(stop.stationary_ms)} s stationary`);
    return parts.join(", ");
  }).join("\n");
}

function seconds(ms) {
  return (ms / 1000).toFixed(1);
}

function withCompoundColor(node, compound) {
  node.style.setProperty("--set", `var(${compoundOf(compound).color})`);
  return node;
}

function compoundName(compound) {
  return compound ? compound[0] + compound.slice(1).toLowerCase() : "Unknown";
}
