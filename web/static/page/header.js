// The header and the banner: session, progress, clocks, weather, track status. Also the list of teams.

import { byId, element, setText } from "./dom.js";
import { trackStatusOf } from "./flags-and-compounds.js";
import { NONE, clock, countdown, lapTime, pace, teamColor } from "./format.js";
import { isTimedSession, partPrefix, timeLeft } from "../session/snapshot.js";

/** The header and the banner, from the view. */
export class Header {
  /** Another session: what is shown belongs to the one before. */
  reset() {
    this.head = null;
    for (const id of ["lap", "clock", "local"]) setText(id, NONE);
    for (const id of ["laps", "at-track", "banner-text", "banner-more"]) setText(id, "");
    for (const id of ["fastest-fact", "aid-fact", "weather-fact", "notices", "rate"]) byId(id).hidden = true;
    byId("banner").dataset.status = "none";
  }

  render(view) {
    if (view.snapshot.head !== this.head) renderSession((this.head = view.snapshot.head));
    renderFacts(view.snapshot, view.rate, view.damaged);
  }
}

/** Render what is constant during a session: its name and the teams. */
export function renderSession(head) {
  const { info } = head;
  setText("meeting", info.meeting);
  setText("subtitle", [info.name, info.circuit || info.location].filter(Boolean).join(" · "));
  document.title = `${info.meeting}: ${info.name} · f1stream`;
  byId("simulated").hidden = !info.simulated;
  const teams = new Map();
  for (const entry of head.cars) teams.set(entry.team, [...(teams.get(entry.team) ?? []), entry]);
  byId("teams").replaceChildren(
    ...[...teams].map(([team, cars]) => {
      const item = element("li", "", [
        element("i", "swatch"),
        element("span", "team", team),
        element("span", "mates", cars.flatMap((car, i) => [element("i", i ? "dot second" : "dot"), element("span", "", car.tla)])),
      ]);
      item.style.setProperty("--team", teamColor(cars[0].team_color));
      return item;
    }),
  );
}

/** Render what changes with the snapshot. `damaged` is the reason why the race worker gave up the run, or null. */
function renderFacts(snapshot, rate, damaged) {
  const { race, head } = snapshot;
  renderProgress(race, head.info, snapshot.t);
  setText("clock", clock(snapshot.t));
  renderTimeOfDay(head.info, snapshot.t);
  byId("rate").hidden = !pace(rate) || race.ended;
  setText("rate", pace(rate));
  const fastest = race.fastest_lap;
  byId("fastest-fact").hidden = !fastest;
  const entry = head.cars.find((car) => car.driver_number === fastest?.driver_number);
  setText("fastest", fastest ? lapTime(fastest.ms) : ""); // also while it is hidden: it may be of a later time
  setText("fastest-by", fastest ? `${entry?.tla ?? fastest.driver_number}${fastest.lap ? ` · lap ${fastest.lap}` : ""}` : "");
  byId("weather-fact").hidden = race.air_temp == null && race.track_temp == null;
  setText("weather", `${degrees(race.air_temp)} / ${degrees(race.track_temp)}`);
  setText("rain", race.rainfall == null ? "" : race.rainfall ? "rain" : "dry");
  const notices = [...(damaged ? [`This run is damaged: ${damaged}. Publish the session again.`] : []), ...(race.notices ?? [])];
  byId("notices").hidden = !notices.length;
  setText("notices", notices.join(" "));
  byId("aid-fact").hidden = race.overtaking_aid == null;
  setText("aid-name", race.overtaking_aid === "OVERTAKE" ? "Overtake" : "DRS");
  setText("aid", race.overtaking_enabled ? "enabled" : "disabled");
  const [kind, sentence, more] = banner(race);
  byId("banner").dataset.status = kind;
  setText("banner-text", sentence);
  setText("banner-more", more);
}

/** The time of day for the viewer and at the track. */
function renderTimeOfDay({ t0_utc_ms: zero, gmt_offset_ms: offset }, t) {
  const now = new Date(zero + t);
  setText("local", now.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false }));
  const atTrack = offset == null ? "" : `${new Date(zero + t + offset).toISOString().slice(11, 16)} at the track`;
  setText("at-track", atTrack);
  byId("local-fact").title = atTrack;
}

/** The session's progress: laps in a race, else the part and its remaining time. */
function renderProgress(race, info, t) {
  const timed = isTimedSession(race);
  setText("lap-name", timed ? partName(race, info) : "Lap");
  setText("lap", timed ? countdown(timeLeft(race, t)) : race.lap || NONE);
  setText("laps", !timed && race.total_laps ? `/${race.total_laps}` : "");
}

function partName(race, info) {
  const prefix = partPrefix(info);
  return prefix ? `${prefix}${race.part}` : "Left";
}

/** The banner's kind (for its colour), sentence and detail. */
function banner(race) {
  if (race.ended) return ["over", "Session over", ""];
  if (race.suspended) return ["red", "Session suspended", "The clock runs, gaps pause"];
  const { kind, sentence } = trackStatusOf(race.track_status) ?? { kind: "clear", sentence: race.track_message || "Track status unknown" };
  if (race.status === "Finished" || race.status === "Finalised" || race.status === "Ends") return ["over", "Chequered flag", kind === "clear" ? "" : sentence];
  if (race.status === "Inactive" && kind === "clear") return ["clear", "Before the start", ""];
  return [kind, sentence, yellowSectors(race)];
}

/** The marshal sectors under yellow as text, for screen readers and for maps without marshal sectors. */
function yellowSectors({ yellow_sectors: sectors }) {
  if (!sectors?.length) return "";
  return `${sectors.length === 1 ? "Sector" : "Sectors"} ${sectors.map(({ sector, double }) => `${sector}${double ? " (double)" : ""}`).join(", ")}`;
}

function degrees(value) {
  return value == null ? NONE : `${Math.round(value)}°`;
}
