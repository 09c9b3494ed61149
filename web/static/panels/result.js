// The result of a race, from the marts. It is not requested before the chequered flag.

import { Changes } from "../page/changes.js";
import { byId, cell, driverCell, element, setText, symbol } from "../page/dom.js";
import { NONE, gap, lapTime, raceTime, teamColor } from "../page/format.js";
import { updateRows } from "../page/rows.js";
import { TeamColours, isGrandPrix, sessionPath } from "../session/marts.js";

const SOURCES = {
  jolpica: "Official",
  stream: "From the session's own laps",
  both: "Official, and from the session's own laps",
};
// Text beside the panel's title, and text instead of the table.
const BEFORE = ["After the flag", "The result appears here after the flag."];
const LOADING = ["", "Loading the result…"];
const NOT_BUILT = ["Not built yet", "Not built yet: the marts are built after the session."];

export class ResultPanel {
  constructor() {
    this.changes = new Changes();
    this.reset();
  }

  reset() {
    this.changes.reset();
    this.show([], ...BEFORE);
  }

  render({ snapshot, over, marts }) {
    const { head } = snapshot;
    byId("result").hidden = !isGrandPrix(head.info);
    const result = over && isGrandPrix(head.info) ? marts.get(sessionPath(head, "result")) : null;
    if (!this.changes.differ(head, over, result)) return;
    if (!over) this.show([], ...BEFORE);
    else if (!result) this.show([], ...(result === undefined ? LOADING : NOT_BUILT));
    else this.show(resultRows(result, new TeamColours(head)), sourceText(result.rows), "");
  }

  show(rows, source, note) {
    updateRows(byId("result-rows"), rows);
    setText("result-source", source);
    setText("result-note", note);
    byId("result-note").parentElement.hidden = !note;
    byId("result-scroll").hidden = Boolean(note);
    byId("banner-result").hidden = Boolean(note);
  }
}

/** Where the rows come from: official, from the session's own laps, or both if the official result lacks a car. */
function sourceText(rows) {
  const sources = new Set(rows.map((row) => row.source));
  return SOURCES[sources.size > 1 ? "both" : [...sources][0]] ?? "";
}

function resultRows(result, colours) {
  const winner = result.rows.find((row) => row.position === 1) ?? null;
  const fastest = Math.min(...result.rows.map((row) => row.fastest_lap_ms ?? Infinity));
  return result.rows.map((row) => {
    const color = colours.byNumber.get(row.driver_number) ?? colours.byTeam.get(row.team_name);
    const node = element("tr", row.position == null ? "unclassified" : "", [
      cell("pos", row.position ?? row.position_text),
      driverCell(row.driver_code, row.driver_name, row.team_name),
      cell("team", row.team_name ?? NONE),
      cell("grid", grid(row)),
      cell("laps", row.laps),
      cell("time", timeOf(row, winner)),
      cell("best", best(row.fastest_lap_ms, fastest)),
      cell("points", row.points),
    ]);
    node.dataset.key = row.driver_number ?? row.driver_name;
    node.style.setProperty("--team", teamColor(color));
    return node;
  });
}

/** The winner's time; for others the gap on the lead lap, else laps down; the reason if the car is not classified. */
function timeOf(row, winner) {
  if (row.position == null) return row.status;
  if (row.time_ms != null && row === winner) return raceTime(row.time_ms);
  if (row.time_ms != null && winner?.time_ms != null) return gap(row.time_ms - winner.time_ms, 0);
  return gap(null, winner ? winner.laps - row.laps : 0);
}

function best(ms, fastest) {
  return ms != null && ms === fastest ? [element("span", "overall", lapTime(ms)), symbol("★", "overall", "fastest lap of the race")] : lapTime(ms);
}

/** The grid position; for a classified car also the places gained or lost. */
function grid(row) {
  if (!row.grid_position) return row.laps ? [element("span", "", "PIT"), element("span", "sr", " lane")] : NONE;
  const parts = [element("span", "", row.grid_position)];
  if (row.position == null) return parts;
  const gained = row.grid_position - row.position;
  const places = `${Math.abs(gained)} ${Math.abs(gained) === 1 ? "place" : "places"}`;
  if (gained > 0) parts.push(symbol(`▲${gained}`, "gained", `gained ${places}`));
  else if (gained < 0) parts.push(symbol(`▼${-gained}`, "lost", `lost ${places}`));
  else parts.push(symbol("=", "kept", "same place"));
  return parts;
}
