// A car's penalties and incidents in the timing tower.

import { element } from "../page/dom.js";

const STATES = { noted: "noted", investigated: "under investigation", after_race: "investigated after the race", given: "not served yet", served: "served" };
const PENDING = { noted: "noted", investigated: "invest.", after_race: "after" }; // short texts of undecided incidents

/**
 * Fill the cell with what matters most: a penalty to be served, else the sum of time penalties, else an undecided
 * incident, else "served". Below it the position that the car would have with its time penalties; all in the tooltip.
 */
export function renderPenalties(cell, car) {
  const all = car.penalties ?? [];
  const open = all.filter((each) => each.state === "given");
  const seconds = open.reduce((sum, each) => sum + (each.kind === "time" ? each.seconds ?? 0 : 0), 0);
  const toServe = open.find((each) => each.kind !== "time");
  const pending = all.findLast((each) => each.state in PENDING);
  const text = toServe ? shortText(toServe) : seconds ? `+${seconds} s` : pending ? PENDING[pending.state] : all.some((each) => each.state === "served") ? "served" : "";
  const projected = car.position_with_penalties != null && car.position_with_penalties !== car.position ? element("span", "sub", `→ P${car.position_with_penalties}`) : null;
  cell.replaceChildren(...(text ? [open.length ? element("b", "", text) : text] : []), ...(projected ? [projected] : []));
  cell.title = all.map((each) => `${each.lap ? `Lap ${each.lap}: ` : ""}${kindText(each)}, ${STATES[each.state]}${each.reason ? ` (${each.reason.toLowerCase()})` : ""}`).join("\n");
}

/** A penalty to be served, short enough for the column; `kindText` is in the tooltip. */
function shortText({ kind, seconds }) {
  if (kind === "drive_through") return "DT";
  return seconds ? `SG ${seconds}` : "SG";
}

function kindText({ kind, seconds }) {
  if (kind === "time") return `+${seconds} s`;
  if (kind === "drive_through") return "drive-through";
  if (kind === "stop_go") return seconds ? `${seconds} s stop-go` : "stop-go";
  return "incident";
}
