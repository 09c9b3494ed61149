// The season around a session: standings, calendar, and the standings if the race ended now. The server leaves out
// what was not known yet at the session time shown.

import { Changes } from "../page/changes.js";
import { byId, cell, driverCell, element, placesGained, setText } from "../page/dom.js";
import { NONE, teamColor } from "../page/format.js";
import { updateRows } from "../page/rows.js";
import { TeamColours, awardsPoints, sessionPath } from "../session/marts.js";
import { Request } from "../session/request.js";

const KINDS = ["drivers", "constructors", "calendar", "now"];
const NOT_BUILT = "Not built yet: the marts are built after the session.";
const PROJECTION_MS = 5000; // wall time between two requests for the standings if the race ended now
const STATUSES = { scheduled: "", held: "held", cancelled: "cancelled" };

export class StandingsPanel {
  constructor() {
    this.kind = KINDS[0];
    this.changes = new Changes();
    this.projection = new Request();
    for (const kind of KINDS) byId(`standings-${kind}`).addEventListener("click", () => (this.kind = kind));
    this.reset();
  }

  reset() {
    this.changes.reset();
    this.projection.reset();
    this.show([], "", "");
  }

  /** Show the season as known at a snapshot. A simulated race belongs to no season. */
  render({ snapshot, t, over, marts, now }) {
    const { head } = snapshot;
    byId("standings").hidden = head.info.simulated;
    if (head.info.simulated) return;
    byId("standings-now").hidden = !awardsPoints(head.info) || over;
    if (over && this.kind === "now") this.kind = KINDS[0];
    const season = marts.get(sessionPath(head, "season", over ? null : t), `season ${head.session_key} ${over}`);
    if (this.kind === "now" && season) this.projection.get(sessionPath(head, "championship", t), Math.floor(now / PROJECTION_MS));
    if (!this.changes.differ(head, over, season, this.kind, this.projection.body)) return;
    if (!season) this.show([], "", season === undefined ? "Loading the standings…" : NOT_BUILT);
    else if (this.kind === "calendar") this.show(season.rounds.map((round) => roundRow(round, season.round)), `Season ${season.season}`, "");
    else if (this.kind === "now") this.showProjection(head);
    else this.show(season.standings ? standingRows(season.standings, this.kind, head) : [], season.label, season.note);
  }

  showProjection(head) {
    const { body } = this.projection;
    if (!body) this.show([], "", body === undefined ? "Loading…" : "The standings before this event are not known yet.");
    else this.show(standingRows(body, "drivers", head), body.label, "");
  }

  show(rows, label, note) {
    for (const kind of KINDS) byId(`standings-${kind}`).setAttribute("aria-pressed", String(kind === this.kind));
    setText("standings-label", label);
    setText("standings-note", note);
    byId("standings-note").parentElement.hidden = !note;
    byId("standings-scroll").hidden = Boolean(note);
    byId("standings-table").dataset.kind = this.kind;
    setText("standings-who", { constructors: "TEAM", calendar: "RACE" }[this.kind] ?? "DRIVER");
    setText("standings-wins", { calendar: "", now: "GAINED" }[this.kind] ?? "WINS");
    setText("standings-team", this.kind === "calendar" ? "WINNER" : "TEAM");
    setText("standings-points", this.kind === "calendar" ? "DATE" : "PTS");
    updateRows(byId("standings-rows"), rows);
  }
}

function standingRows(standings, kind, head) {
  const colours = new TeamColours(head);
  colours.addTeams(standings.drivers);
  return standings[kind].map((row) => {
    const color = kind === "drivers" ? (colours.byCode.get(row.code) ?? colours.byTeam.get(row.team_name)) : colours.byTeam.get(row.name);
    const gained = row.position_before == null ? 0 : row.position_before - row.position;
    const position = cell("pos", row.position ?? NONE);
    if (gained) position.append(placesGained(gained));
    const node = element("tr", "", [
      position,
      driverCell(row.code, row.name, row.team_name),
      cell("team", row.team_name ?? ""),
      cell("wins", row.gained == null ? row.wins : row.gained ? `+${row.gained}` : NONE),
      cell("points", row.points),
    ]);
    node.dataset.key = `${kind} ${row.code ?? row.name}`;
    node.style.setProperty("--team", teamColor(color));
    return node;
  });
}

/** A round of the calendar; `current` is the round of the session shown. */
function roundRow(round, current) {
  const node = element("tr", round.status === "cancelled" ? "unclassified" : "", [
    cell("pos", round.round),
    driverCell(null, round.event_name, null),
    cell("team", round.winner ? `${round.winner.driver_name}` : STATUSES[round.status]),
    cell("wins", ""),
    cell("points", new Date(`${round.race_date}T12:00:00Z`).toLocaleDateString([], { day: "numeric", month: "short" })),
  ]);
  node.dataset.key = `round ${round.round}`;
  if (round.round === current) node.setAttribute("aria-current", "true");
  return node;
}
