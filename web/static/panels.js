// Everything around map and table: header, track status, race control, teams.

import { NONE, clock, countdown, lapTime, pace, teamColor } from "./format.js";
import { isTimedSession, timeLeft } from "./frames.js";
import { element } from "./tower/tower.js";

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

/** What changes with the snapshot. `damaged`: why the race worker gave the run up, where it did. */
export function renderSession(snapshot, rate, damaged) {
  const { race, head } = snapshot;
  renderProgress(race, head.info, snapshot.t);
  text("clock", clock(snapshot.t));
  renderLocal(head.info, snapshot.t);
  $("rate").hidden = !pace(rate) || race.ended;
  text("rate", pace(rate));
  const fastest = race.fastest_lap;
  $("fastest-fact").hidden = !fastest;
  if (fastest) {
    const who = head.cars.find((car) => car.driver_number === fastest.driver_number);
    text("fastest", lapTime(fastest.ms));
    text("fastest-by", `${who?.tla ?? fastest.driver_number}${fastest.lap ? ` · lap ${fastest.lap}` : ""}`);
  }
  $("weather-fact").hidden = race.air_temp == null && race.track_temp == null;
  text("weather", `${degrees(race.air_temp)} / ${degrees(race.track_temp)}`);
  text("rain", race.rainfall == null ? "" : race.rainfall ? "rain" : "dry");
  const notices = [...(damaged ? [`This run is damaged: ${damaged}. Publish the session again.`] : []), ...(race.notices ?? [])];
  $("notices").hidden = !notices.length;
  text("notices", notices.join(" "));
  $("aid-fact").hidden = race.overtaking_aid == null;
  text("aid-name", race.overtaking_aid === "OVERTAKE" ? "Overtake" : "DRS");
  text("aid", race.overtaking_enabled ? "enabled" : "disabled");
  const [kind, sentence, more] = banner(race);
  $("banner").dataset.status = kind;
  text("banner-text", sentence);
  text("banner-more", more);
}

/** The time of day, where the viewer is and where the track is. */
function renderLocal({ t0_utc_ms: zero, gmt_offset_ms: offset }, t) {
  const now = new Date(zero + t);
  text("local", now.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false }));
  const there = offset == null ? "" : `${new Date(zero + t + offset).toISOString().slice(11, 16)} at the track`;
  text("at-track", there);
  $("local-fact").title = there;
}

/** How far the session is: laps in a race, else the part and what is left of it. */
function renderProgress(race, info, t) {
  const timed = isTimedSession(race);
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
  return [kind, sentence, yellows(race)];
}

/** The marshals' sectors under yellow, for maps that do not have them and for ears. */
function yellows({ yellow_sectors: sectors }) {
  if (!sectors?.length) return "";
  return `${sectors.length === 1 ? "Sector" : "Sectors"} ${sectors.map(({ sector, double }) => `${sector}${double ? " (double)" : ""}`).join(", ")}`;
}

function degrees(value) {
  return value == null ? NONE : `${Math.round(value)}°`;
}

const MOST = 200; // messages in the log
const NEW_MS = 6000; // what became known longer ago is no news

/** The race control log, newest first, the voice of the page for screen readers, and its sound. */
export class RaceControlLog {
  constructor(list, remote) {
    this.list = list;
    this.remote = remote;
    this.sound = new Sound($("sound"));
    this.reset();
  }

  reset() {
    this.list.replaceChildren();
    this.shown = "";
    this.items = new Map();
    this.told = null; // session time up to which everything has been told
    this.banner = "";
    $("no-messages").hidden = false;
  }

  /** Messages known at the view's horizon; those later than the snapshot are revealed ones. */
  render({ snapshot, history, horizon, t }) {
    const known = history.messages(horizon, "race_control");
    const messages = known.length ? known : (snapshot.race.race_control ?? []).map((message) => ({ t: message.session_time_ms, ...message }));
    const shown = `${messages.length} ${messages.at(-1)?.t} ${messages.at(-1)?.message}`;
    if (shown !== this.shown) {
      this.shown = shown;
      this.items = new Map(messages.slice(-MOST).map((message) => [message, this.items.get(message) ?? this.item(message)]));
      this.list.replaceChildren(...[...this.items.values()].reverse());
      $("no-messages").hidden = messages.length > 0;
    }
    for (const [message, made] of this.items) made.dataset.later = String(message.t > t);
    this.speak(messages, t);
  }

  /** Say what is new, unless the viewer has just come here. */
  speak(messages, t) {
    const going = this.told !== null && t >= this.told && t - this.told < NEW_MS;
    const fresh = going ? messages.filter((message) => message.t > this.told && message.t <= t) : [];
    this.told = t;
    const said = fresh.map((message) => message.message);
    const now = $("banner-text").textContent;
    if (now !== this.banner && going) said.push(now);
    this.banner = now;
    if (said.length) text("announce", said.slice(-3).join(". "));
    if (fresh.length) this.sound.play(fresh.at(-1));
  }

  item(message) {
    const flag = element("i", "flag");
    flag.dataset.flag = (message.flag ?? (message.category === "SafetyCar" ? "SAFETY" : "NONE")).replaceAll(" ", "-");
    const when = element("button", "moment", clock(message.session_time_ms));
    when.type = "button";
    when.title = "Go there";
    when.addEventListener("click", () => this.remote.seek(message.session_time_ms));
    const place = element("span", "when", [when]);
    if (message.lap != null) place.append(element("span", "", `Lap ${message.lap}`));
    return element("li", "", [flag, place, element("span", "said", message.message)]);
  }
}

const TONES = { RED: [330, 330, 330], YELLOW: [660, 660], "DOUBLE YELLOW": [660, 660], GREEN: [520, 780], CLEAR: [520, 780] };

/** A short tone for a message, once the viewer has asked for it. */
class Sound {
  constructor(button) {
    this.on = false;
    button.addEventListener("click", () => {
      this.on = !this.on;
      button.setAttribute("aria-pressed", String(this.on));
      if (this.on) this.play({ flag: "GREEN" }); // and browsers want a click first
    });
  }

  play({ flag }) {
    if (!this.on) return;
    this.audio ??= new AudioContext();
    const start = this.audio.currentTime;
    (TONES[flag] ?? [600]).forEach((pitch, i) => {
      const [tone, volume] = [this.audio.createOscillator(), this.audio.createGain()];
      const at = start + i * 0.16;
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0.12, at);
      volume.gain.exponentialRampToValueAtTime(0.001, at + 0.14);
      tone.connect(volume).connect(this.audio.destination);
      tone.start(at);
      tone.stop(at + 0.15);
    });
  }
}
