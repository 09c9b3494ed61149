// The standings of the season around a session: those before its event, and only after the flag those with it.

import { NONE, teamColor } from "./format.js";
import { Colours, isRace, resultOf } from "./marts.js";
import { text } from "./panels.js";
import { driverCell, element } from "./tower.js";

const DAY_MS = 86_400_000;
const KINDS = ["drivers", "constructors"];
const NOT_BUILT = "Not built yet: the marts are built after the session.";

const $ = (id) => document.getElementById(id);

export class StandingsPanel {
  constructor() {
    this.kind = KINDS[0];
    for (const kind of KINDS) $(`standings-${kind}`).addEventListener("click", () => (this.kind = kind));
    this.reset();
  }

  reset() {
    this.shown = [];
    this.show(null, null, "", "");
  }

  /** Show what may be known at a picture. A simulated race counts for no season. */
  render(picture, marts) {
    const { head, race } = picture;
    const year = head.info.simulated ? NaN : dayOf(head.info).getUTCFullYear();
    $("standings").hidden = Number.isNaN(year);
    if (Number.isNaN(year)) return;
    const over = race.ended && isRace(head.info);
    const result = over ? resultOf(marts, head) : null; // it names the event, but is not asked for before the flag
    const season = marts.get(`/api/seasons/${year}`);
    const now = [head, over, result, season, this.kind];
    if (now.every((each, i) => each === this.shown[i])) return;
    this.shown = now;
    if (!season) {
      this.show(null, head, "", season === undefined ? "Loading the standings…" : NOT_BUILT);
      return;
    }
    const { round, label, note } = standingsAt(season, eventOf(season, head.info, result), over);
    this.show(round, head, label, note);
  }

  show(round, head, label, note) {
    for (const kind of KINDS) $(`standings-${kind}`).setAttribute("aria-pressed", String(kind === this.kind));
    text("standings-label", label);
    text("standings-note", note);
    $("standings-note").parentElement.hidden = !note;
    $("standings-scroll").hidden = Boolean(note);
    $("standings-table").dataset.kind = this.kind;
    text("standings-who", this.kind === "drivers" ? "DRIVER" : "TEAM");
    $("standings-rows").replaceChildren(...(round ? standingRows(round, this.kind, head) : []));
  }
}

function dayOf(info) {
  return new Date(info.t0_utc_ms + info.start_ms);
}

/**
 * The round of the calendar that a session belongs to; Infinity after the last. The result knows it. Before the flag
 * the date tells: an event's sessions end with its race, whose date may be the local one and so a day earlier.
 */
export function eventOf(season, info, result) {
  if (result?.round != null && result.season === season.season) return result.round;
  const earliest = new Date(dayOf(info).getTime() - DAY_MS).toISOString().slice(0, 10);
  return season.rounds.find((round) => round.status !== "cancelled" && round.race_date >= earliest)?.round ?? Infinity;
}

/** The standings to show with round `event` before it, or after it when it is `over`: `{round, label, note}`. */
export function standingsAt(season, event, over) {
  const told = season.rounds.filter((round) => round.drivers.length);
  const here = over && told.find((round) => round.round === event);
  if (here) return { round: here, label: `After this race, round ${here.round}`, note: "" };
  const before = told.filter((round) => round.round < event).at(-1);
  if (before) {
    const label = over ? `Not yet with this race: after ${nameOf(before)}` : `Before this event: after ${nameOf(before)}`;
    return { round: before, label, note: "" };
  }
  const first = !season.rounds.some((round) => round.round < event && round.status === "held");
  if (!first) return { round: null, label: "", note: "The standings before this event are not known yet." };
  const note = over ? "The season starts here: its first standings come with the official results." : "The season starts here: there are no standings before it.";
  return { round: null, label: "", note };
}

function nameOf(round) {
  return `round\u00a0${round.round}, ${round.event_name}`;
}

function standingRows(round, kind, head) {
  const colours = new Colours(head);
  colours.learn(round.drivers);
  return round[kind].map((row) => {
    const color = kind === "drivers" ? (colours.byCode.get(row.code) ?? colours.byTeam.get(row.team_name)) : colours.byTeam.get(row.name);
    const made = element("tr", "", [
      cell("pos", row.position ?? NONE),
      driverCell(row.code, row.name, row.team_name),
      cell("team", row.team_name ?? ""),
      cell("wins", row.wins),
      cell("points", row.points),
    ]);
    made.style.setProperty("--team", teamColor(color));
    return made;
  });
}

function cell(column, content) {
  const made = element("td", "", content);
  made.dataset.col = column;
  return made;
}
