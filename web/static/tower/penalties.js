// What the stewards say of a car, in the timing table.

import { element } from "./tower.js";

const STATES = { noted: "noted", investigated: "under investigation", after_race: "investigated after the race", given: "not served yet", served: "served" };
const SHORT = { noted: "noted", investigated: "investig.", after_race: "after race" };

/** Fill the cell: what weighs most, and the place it would make. */
export function penaltyCell(cell, car) {
  const all = car.penalties ?? [];
  const open = all.filter((each) => each.state === "given");
  const seconds = open.reduce((sum, each) => sum + (each.kind === "time" ? each.seconds ?? 0 : 0), 0);
  const other = open.find((each) => each.kind !== "time");
  const pending = all.findLast((each) => each.state in SHORT);
  const said = other ? kindOf(other) : seconds ? `+${seconds} s` : pending ? SHORT[pending.state] : all.some((each) => each.state === "served") ? "served" : "";
  const would = car.position_with_penalties != null && car.position_with_penalties !== car.position ? element("span", "sub", `→ P${car.position_with_penalties}`) : null;
  cell.replaceChildren(...(said ? [open.length ? element("b", "", said) : said] : []), ...(would ? [would] : []));
  cell.title = all.map((each) => `${each.lap ? `Lap ${each.lap}: ` : ""}${kindOf(each)}, ${STATES[each.state]}${each.reason ? ` (${each.reason.toLowerCase()})` : ""}`).join("\n");
}

function kindOf({ kind, seconds }) {
  if (kind === "time") return `+${seconds} s`;
  if (kind === "drive_through") return "drive-through";
  if (kind === "stop_go") return seconds ? `${seconds} s stop-go` : "stop-go";
  return "incident";
}
