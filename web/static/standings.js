// The season around a session, as the server says it may be known: standings, calendar, and what the standings would
// be if the race ended now.

import { NONE, teamColor } from "./format.js";
import { Colours, addressOf, isRace } from "./marts.js";
import { text } from "./panels.js";
import { driverCell, element, sign } from "./tower/tower.js";

const KINDS = ["drivers", "constructors", "calendar", "now"];
const NOT_BUILT = "Not built yet: the marts are built after the session.";
const NOW_MS = 5000; // what would be is asked for no more often
const STATUSES = { scheduled: "", held: "held", cancelled: "cancelled" };

const $ = (id) => document.getElementById(id);

export class StandingsPanel {
  constructor() {
    this.kind = KINDS[0];
    for (const kind of KINDS) $(`standings-${kind}`).addEventListener("click", () => (this.kind = kind));
    this.reset();
  }

  reset() {
    this.shown = [];
    this.ifNow = { at: 0, body: undefined };
    this.show([], "", "");
  }

  /** Show what may be known at a snapshot. A simulated race counts for no season. */
  render({ snapshot, t, over }, marts, now) {
    const { head } = snapshot;
    $("standings").hidden = head.info.simulated;
    if (head.info.simulated) return;
    $("standings-now").hidden = !isRace(head.info);
    const season = marts.get(addressOf(head, "season", over ? null : t), `season ${head.session_key} ${over}`);
    if (this.kind === "now" && season) this.ask(head, over ? null : t, now);
    const state = [head, over, season, this.kind, this.ifNow.body];
    if (state.every((each, i) => each === this.shown[i])) return;
    this.shown = state;
    if (!season) this.show([], "", season === undefined ? "Loading the standings…" : NOT_BUILT);
    else if (this.kind === "calendar") this.show(season.rounds.map((round) => roundRow(round, season.round)), `Season ${season.season}`, "");
    else if (this.kind === "now") this.showNow(head);
    else this.show(season.standings ? standingRows(season.standings, this.kind, head) : [], season.label, season.note);
  }

  async ask(head, at, now) {
    if (this.asking || now - this.ifNow.at < NOW_MS) return;
    this.asking = true;
    try {
      const response = await fetch(addressOf(head, "championship", at));
      this.ifNow = { at: now, body: response.ok ? await response.json() : null };
    } catch (error) {
      console.warn(error.message);
      this.ifNow.at = now;
    } finally {
      this.asking = false;
    }
  }

  showNow(head) {
    const { body } = this.ifNow;
    if (!body) this.show([], "", body === undefined ? "Loading…" : "It is not known what the standings were before this event.");
    else this.show(standingRows(body, "drivers", head), body.label, "");
  }

  show(rows, label, note) {
    for (const kind of KINDS) $(`standings-${kind}`).setAttribute("aria-pressed", String(kind === this.kind));
    text("standings-label", label);
    text("standings-note", note);
    $("standings-note").parentElement.hidden = !note;
    $("standings-scroll").hidden = Boolean(note);
    $("standings-table").dataset.kind = this.kind;
    text("standings-who", { constructors: "TEAM", calendar: "RACE" }[this.kind] ?? "DRIVER");
    text("standings-wins", { calendar: "", now: "GAINED" }[this.kind] ?? "WINS");
    text("standings-team", this.kind === "calendar" ? "WINNER" : "TEAM");
    text("standings-points", this.kind === "calendar" ? "DATE" : "PTS");
    $("standings-rows").replaceChildren(...rows);
  }
}

function standingRows(standings, kind, head) {
  const colours = new Colours(head);
  colours.learn(standings.drivers);
  return standings[kind].map((row) => {
    const color = kind === "drivers" ? (colours.byCode.get(row.code) ?? colours.byTeam.get(row.team_name)) : colours.byTeam.get(row.name);
    const moved = row.position_before == null ? 0 : row.position_before - row.position;
    const position = cell("pos", row.position ?? NONE);
    if (moved) position.append(sign(moved > 0 ? "▲" : "▼", `change ${moved > 0 ? "gained" : "lost"}`, `${Math.abs(moved)} ${moved > 0 ? "gained" : "lost"}`));
    const made = element("tr", "", [
      position,
      driverCell(row.code, row.name, row.team_name),
      cell("team", row.team_name ?? ""),
      cell("wins", row.gained == null ? row.wins : row.gained ? `+${row.gained}` : NONE),
      cell("points", row.points),
    ]);
    made.style.setProperty("--team", teamColor(color));
    return made;
  });
}

/** A round of the calendar; `here` is the session's own. */
function roundRow(round, here) {
  const made = element("tr", round.status === "cancelled" ? "unclassified" : "", [
    cell("pos", round.round),
    driverCell(null, round.event_name, null),
    cell("team", round.winner ? `${round.winner.driver_name}` : STATUSES[round.status]),
    cell("wins", ""),
    cell("points", new Date(`${round.race_date}T12:00:00Z`).toLocaleDateString([], { day: "numeric", month: "short" })),
  ]);
  if (round.round === here) made.setAttribute("aria-current", "true");
  return made;
}

function cell(column, content) {
  const made = element("td", "", content);
  made.dataset.col = column;
  return made;
}
