// Everything around map and table: header, track status, race control, teams.

import { NONE, clock, countdown, lapTime, pace, teamColor } from "./format.js";
import { byTime, timeLeft } from "./state.js";
import { element } from "./tower.js";

const STATUS = {
  1: ["clear", "Track clear"],
  2: ["yellow", "Yellow flag"],
  4: ["safety", "Safety car"],
  5: ["red", "Red flag"],
  6: ["safety", "Virtual safety car"],
  7: ["safety", "Virtual safety car ending"],
};

const $ = (id) => document.getElementById(id);

/** Set text when it differs: an untouched node is not announced, laid out or painted again. */
export function text(id, value) {
  const node = $(id);
  if (node.textContent !== String(value)) node.textContent = value;
}

/** What stays as it is during a session. */
export function renderHead(head) {
  const { info } = head;
  text("meeting", info.meeting);
  text("subtitle", [info.name, info.circuit || info.location].filter(Boolean).join(" · "));
  document.title = `${info.meeting}: ${info.name} · f1stream`;
  $("simulated").hidden = !info.simulated;
  const teams = new Map();
  for (const entry of head.cars) teams.set(entry.team, [...(teams.get(entry.team) ?? []), entry]);
  $("teams").replaceChildren(
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

/** What changes with the picture. */
export function renderPicture(picture, rate) {
  const { race, head } = picture;
  renderProgress(race, head.info, picture.t);
  text("clock", clock(picture.t));
  $("rate").hidden = !pace(rate) || race.ended;
  text("rate", pace(rate));
  const fastest = race.fastest_lap;
  $("fastest-fact").hidden = !fastest;
  if (fastest) {
    const who = head.cars.find((car) => car.driver_number === fastest.driver_number);
    text("fastest", lapTime(fastest.ms));
    text("fastest-by", `${who?.tla ?? fastest.driver_number} · lap ${fastest.lap}`);
  }
  $("weather-fact").hidden = race.air_temp == null && race.track_temp == null;
  text("weather", `${degrees(race.air_temp)} / ${degrees(race.track_temp)}`);
  text("rain", race.rainfall == null ? "" : race.rainfall ? "rain" : "dry");
  $("notices").hidden = !race.notices?.length;
  text("notices", (race.notices ?? []).join(" "));
  $("aid-fact").hidden = race.overtaking_aid == null;
  text("aid-name", race.overtaking_aid === "OVERTAKE" ? "Overtake" : "DRS");
  text("aid", race.overtaking_enabled ? "enabled" : "disabled");
  const [kind, sentence, more] = banner(race);
  $("banner").dataset.status = kind;
  text("banner-text", sentence);
  text("banner-more", more);
}

/** How far the session is: laps in a race, else the part and what is left of it. */
function renderProgress(race, info, t) {
  const timed = byTime(race);
  text("lap-name", timed ? partName(race, info) : "Lap");
  text("lap", timed ? countdown(timeLeft(race, t)) : race.lap || NONE);
  text("laps", !timed && race.total_laps ? `/${race.total_laps}` : "");
}

function partName(race, info) {
  if (!/qualifying|shootout/i.test(info.name)) return "Left";
  return `${/sprint/i.test(info.name) ? "SQ" : "Q"}${race.part}`;
}

/** Kind, sentence and detail of the track status banner. */
function banner(race) {
  if (race.ended) return ["over", "Session over", ""];
  if (race.suspended) return ["red", "Session suspended", "The clock runs, gaps pause"];
  const [kind, sentence] = STATUS[race.track_status] ?? ["clear", race.track_message || "Track status unknown"];
  if (race.status === "Finished" || race.status === "Finalised" || race.status === "Ends") return ["over", "Chequered flag", kind === "clear" ? "" : sentence];
  if (race.status === "Inactive" && kind === "clear") return ["clear", "Before the start", ""];
  return [kind, sentence, ""];
}

function degrees(value) {
  return value == null ? NONE : `${Math.round(value)}°`;
}

/** The race control log, newest first, and the voice of the page for screen readers. */
export class RaceControlLog {
  constructor(list) {
    this.list = list;
    this.reset();
  }

  reset() {
    this.list.replaceChildren();
    this.seen = new Set();
    this.first = true;
    this.banner = "";
    $("no-messages").hidden = false;
  }

  render(race) {
    const said = [];
    for (const message of race.race_control ?? []) {
      const key = `${message.session_time_ms} ${message.message}`;
      if (this.seen.has(key)) continue;
      this.seen.add(key);
      this.list.prepend(item(message));
      said.push(message.message);
    }
    while (this.list.children.length > 200) this.list.lastElementChild.remove();
    $("no-messages").hidden = this.list.children.length > 0;
    const now = $("banner-text").textContent;
    if (now !== this.banner) said.push(now);
    this.banner = now;
    // What was there when the page opened is read from the log, not shouted.
    if (said.length && !this.first) text("announce", said.slice(-3).join(". "));
    this.first = false;
  }
}

function item(message) {
  const flag = element("i", "flag");
  flag.dataset.flag = (message.flag ?? (message.category === "SafetyCar" ? "SAFETY" : "NONE")).replaceAll(" ", "-");
  const when = element("span", "when", [element("time", "", clock(message.session_time_ms))]);
  if (message.lap != null) when.append(element("span", "", `Lap ${message.lap}`));
  return element("li", "", [flag, when, element("span", "said", message.message)]);
}
