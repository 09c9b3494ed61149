// The result of the race from the marts. Nobody is told before the flag: until then it is not even asked for.

import { NONE, gap, lapTime, raceTime, teamColor } from "./format.js";
import { Colours, isGrandPrix, resultOf } from "./marts.js";
import { text } from "./panels.js";
import { driverCell, element, sign } from "./tower/tower.js";

const SOURCES = {
  jolpica: "Official",
  stream: "From the session's own laps",
  both: "Official, and from the session's own laps",
};
// What the head says, and the panel.
const BEFORE = ["After the flag", "The result appears here after the flag."];
const LOADING = ["", "Loading the result…"];
const NOT_BUILT = ["Not built yet", "Not built yet: the marts are built after the session."];

const $ = (id) => document.getElementById(id);

export class ResultPanel {
  constructor() {
    this.reset();
  }

  reset() {
    this.shown = [];
    this.show([], ...BEFORE);
  }

  /** Show what may be known at a snapshot. */
  render({ snapshot, over }, marts) {
    const { head } = snapshot;
    $("result").hidden = !isGrandPrix(head.info);
    const result = over && isGrandPrix(head.info) ? resultOf(marts, head) : null;
    const now = [head, over, result];
    if (now.every((each, i) => each === this.shown[i])) return;
    this.shown = now;
    if (!over) this.show([], ...BEFORE);
    else if (!result) this.show([], ...(result === undefined ? LOADING : NOT_BUILT));
    else this.show(resultRows(result, new Colours(head)), sourceOf(result.rows), "");
  }

  show(rows, source, note) {
    $("result-rows").replaceChildren(...rows);
    text("result-source", source);
    text("result-note", note);
    $("result-note").parentElement.hidden = !note;
    $("result-scroll").hidden = Boolean(note);
    $("banner-result").hidden = Boolean(note);
  }
}

/** Who says so: the officials, the session's own laps, or for a car that the officials do not have both. */
function sourceOf(rows) {
  const sources = new Set(rows.map((row) => row.source));
  return SOURCES[sources.size > 1 ? "both" : [...sources][0]] ?? "";
}

function resultRows(result, colours) {
  const winner = result.rows.find((row) => row.position === 1) ?? null;
  const fastest = Math.min(...result.rows.map((row) => row.fastest_lap_ms ?? Infinity));
  return result.rows.map((row) => {
    const color = colours.byNumber.get(row.driver_number) ?? colours.byTeam.get(row.team_name);
    const made = element("tr", row.position == null ? "unclassified" : "", [
      cell("pos", row.position ?? row.position_text),
      driverCell(row.driver_code, row.driver_name, row.team_name),
      cell("team", row.team_name ?? NONE),
      cell("grid", grid(row)),
      cell("laps", row.laps),
      cell("time", timeOf(row, winner)),
      cell("best", best(row.fastest_lap_ms, fastest)),
      cell("points", row.points),
    ]);
    made.style.setProperty("--team", teamColor(color));
    return made;
  });
}

/** The winner's time, the gap to it on the winner's lap, else laps; why, for a car that is not classified. */
function timeOf(row, winner) {
  if (row.position == null) return row.status;
  if (row.time_ms != null && row === winner) return raceTime(row.time_ms);
  if (row.time_ms != null && winner?.time_ms != null) return gap(row.time_ms - winner.time_ms, 0);
  return gap(null, winner ? winner.laps - row.laps : 0);
}

function best(ms, fastest) {
  return ms != null && ms === fastest ? [element("span", "overall", lapTime(ms)), sign("★", "overall", "fastest lap of the race")] : lapTime(ms);
}

/** The place on the grid, and how many places a classified car made of it. */
function grid(row) {
  if (!row.grid_position) return row.laps ? [element("span", "", "PIT"), element("span", "sr", " lane")] : NONE;
  const parts = [element("span", "", row.grid_position)];
  if (row.position == null) return parts;
  const gained = row.grid_position - row.position;
  const places = `${Math.abs(gained)} ${Math.abs(gained) === 1 ? "place" : "places"}`;
  if (gained > 0) parts.push(sign(`▲${gained}`, "gained", `gained ${places}`));
  else if (gained < 0) parts.push(sign(`▼${-gained}`, "lost", `lost ${places}`));
  else parts.push(sign("=", "kept", "same place"));
  return parts;
}

function cell(column, content) {
  const made = element("td", "", content);
  made.dataset.col = column;
  return made;
}
