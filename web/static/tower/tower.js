// The timing table: one row per car, in race order. Text from the feed only ever becomes textContent.

import { compoundOf } from "../compounds.js";
import { NONE, age, gap, lapTime, sectorTime, teamColor } from "../format.js";
import { penaltyCell } from "./penalties.js";
import { isTimedSession, carStatus, raceOrder, signalAge } from "../frames.js";

const COLUMNS = ["pos", "driver", "gap", "interval", "last", "best", "s1", "s2", "s3", "tyre", "stops", "speed", "lap", "penalty", "update"];
const FASTEST_KMH = 360; // the end of the little speed bars
const GLIDE_MS = 450; // rows that change places
const MINI_SOURCES = { feed: "mini-sectors from the feed", lines: "mini-sectors from our own timing lines" };

export class Tower {
  constructor(body, selection) {
    this.body = body;
    this.selection = selection;
    this.rows = new Map();
    this.order = "";
    this.seconds = false; // gaps of lapped cars
    this.source = document.getElementById("mini-source");
    this.calm = window.matchMedia("(prefers-reduced-motion: reduce)");
    selection.onChange(() => this.select());
    const button = document.getElementById("seconds");
    button.addEventListener("click", () => {
      this.seconds = !this.seconds;
      button.setAttribute("aria-pressed", String(this.seconds));
    });
  }

  reset() {
    this.body.replaceChildren();
    this.rows.clear();
    this.order = "";
  }

  /** Show a snapshot; `silence` is ms of wall time since the newest frame, `laps` what `History.laps` has of it. */
  render(snapshot, silence, laps) {
    const order = raceOrder(snapshot);
    const { race } = snapshot;
    this.body.parentElement.dataset.timed = String(isTimedSession(race));
    this.source.hidden = !race.mini_source;
    if (race.mini_source && this.source.textContent !== MINI_SOURCES[race.mini_source]) this.source.textContent = MINI_SOURCES[race.mini_source];
    const leader = order.length ? snapshot.head.cars[order[0]].driver_number : null;
    order.forEach((i, place) => {
      const entry = snapshot.head.cars[i];
      const car = snapshot.cars[entry.driver_number] ?? {};
      const status = carStatus(car, signalAge(snapshot, i), race.ended ? 0 : silence);
      const row = this.rows.get(entry.driver_number) ?? this.addRow(entry);
      const seconds = this.seconds && car.laps_down > 0 ? secondsBehind(laps, leader, entry.driver_number) : null;
      row.render(snapshot, i, car, status, place === 0, seconds);
    });
    this.arrange(order.map((i) => snapshot.head.cars[i].driver_number));
  }

  /** Rows in order; those that change places glide there. */
  arrange(numbers) {
    if (numbers.join() === this.order) return;
    const glide = this.order && !this.calm.matches && document.visibilityState === "visible";
    this.order = numbers.join();
    const before = new Map(glide ? [...this.rows].map(([number, row]) => [number, row.element.offsetTop]) : []);
    for (const [number, row] of this.rows) if (!numbers.includes(number)) this.rows.delete(number) && row.element.remove();
    numbers.forEach((number, place) => {
      const { element } = this.rows.get(number);
      if (this.body.children[place] !== element) this.body.insertBefore(element, this.body.children[place] ?? null);
    });
    for (const [number, top] of before) {
      const row = this.rows.get(number);
      const moved = row ? top - row.element.offsetTop : 0;
      if (moved) row.element.animate([{ transform: `translateY(${moved}px)` }, { transform: "none" }], { duration: GLIDE_MS, easing: "ease-out" });
    }
  }

  addRow(entry) {
    const row = new Row(entry, () => this.selection.toggle(entry.driver_number));
    this.rows.set(entry.driver_number, row);
    this.select();
    return row;
  }

  select() {
    for (const [number, row] of this.rows) row.select(this.selection.has(number));
  }
}

/** Seconds behind the leader at the end of the car's last lap, as the laps say; null when they do not. */
function secondsBehind(laps, leader, number) {
  const own = laps?.get(number)?.findLast((lap) => !lap.made);
  const theirs = own && laps.get(leader)?.find((lap) => lap.lap === own.lap);
  return theirs ? own.end - theirs.end : null;
}

class Row {
  constructor(entry, pick) {
    this.entry = entry;
    this.element = element("tr");
    this.element.dataset.car = entry.driver_number;
    this.element.style.setProperty("--team", teamColor(entry.team_color));
    this.cells = {};
    this.shown = {};
    for (const column of COLUMNS) {
      const cell = element(column === "driver" ? "th" : "td");
      if (column === "driver") cell.scope = "row";
      cell.dataset.col = column;
      this.cells[column] = cell;
      this.element.append(cell);
    }
    this.tag = element("span", "tag");
    const name = element("span", "names", [element("b", "tla", entry.tla), element("span", "name", surname(entry.name))]);
    this.button = element("button", "driver", [element("span", "number", entry.driver_number), name, this.tag]);
    this.button.type = "button";
    this.button.setAttribute("aria-pressed", "false");
    this.cells.driver.append(this.button);
    this.cells.driver.title = `${entry.name}, ${entry.team}`;
    this.element.addEventListener("click", pick);
    this.bar = element("i", "speed-bar");
    this.drs = element("span", "drs", "DRS");
    this.drs.hidden = true;
    this.speed = element("span");
    this.cells.speed.append(this.drs, this.speed, this.bar);
  }

  select(on) {
    this.element.dataset.selected = String(on);
    this.button.setAttribute("aria-pressed", String(on));
  }

  render(snapshot, i, car, status, leader, seconds) {
    const { gap: gaps, interval, speed, race } = snapshot;
    const out = status.code === "retired" || status.code === "out";
    this.once("status", status.code, () => {
      this.element.dataset.status = status.code;
      this.tag.textContent = status.label;
      this.tag.hidden = !status.label;
    });
    this.once("pos", `${car.position} ${this.entry.grid_position}`, () => this.cells.pos.replaceChildren(...place(car.position, isTimedSession(race) ? null : this.entry)));
    const measured = { gap: out && gaps[i] == null && !car.laps_down ? NONE : gap(gaps[i], car.laps_down), interval: gap(interval[i], car.interval_laps) };
    const far = seconds === null ? null : gap(seconds, 0);
    this.distance("gap", leader ? "LEADER" : far, measured.gap, car.official_gap_ms, car.official_gap_laps);
    this.distance("interval", leader ? lapOf(race) : null, measured.interval, car.official_interval_ms, car.official_interval_laps);
    this.once("cut", cut(car, race), (where) => (this.element.dataset.cut = where));
    this.text("lap", car.lap ?? NONE);
    this.text("update", snapshot.age[i] == null && snapshot.along?.[i] != null ? "est." : age(snapshot.age[i] == null ? null : status.age));
    this.once("last", `${car.last_lap_ms} ${car.last_lap_mark}`, () => this.cells.last.replaceChildren(...timed(car.last_lap_ms, car.last_lap_mark)));
    const best = car.best_lap_ms && race.fastest_lap?.driver_number === this.entry.driver_number ? "overall" : null;
    this.once("best", `${car.best_lap_ms} ${best}`, () => this.cells.best.replaceChildren(...timed(car.best_lap_ms, best)));
    this.sectors(car, race.mini_sectors);
    this.once("tyre", JSON.stringify([car.compound, car.tyre_age, car.stints?.length]), () => this.cells.tyre.replaceChildren(...tyre(car)));
    this.once("stops", JSON.stringify([car.stops, car.pit_stops]), () => this.stops(car));
    this.once("penalty", JSON.stringify([car.penalties, car.position_with_penalties]), () => penaltyCell(this.cells.penalty, car));
    this.once("drs", snapshot.drs?.[i] === 1 && !out, (open) => (this.drs.hidden = !open));
    this.once("speed", speed[i], () => {
      this.speed.textContent = speed[i] ?? NONE;
      this.bar.style.setProperty("--part", Math.min(1, (speed[i] ?? 0) / FASTEST_KMH).toFixed(3));
    });
  }

  /** Sector times with their marks, and the mini-sectors of the lap under them. */
  sectors(car, sizes) {
    let from = 0;
    for (const sector of [1, 2, 3]) {
      const { ms, mark } = car.sectors?.[sector - 1] ?? {};
      const size = sizes?.[sector - 1] ?? 0;
      const minis = (car.mini_sectors ?? "").slice(from, from + size);
      from += size;
      this.once(`s${sector}`, `${ms} ${mark} ${minis} ${size}`, () => {
        const bars = element("span", "minis", Array.from({ length: size }, (_, k) => {
          const bar = element("i");
          if (minis[k]) bar.dataset.m = minis[k];
          return bar;
        }));
        bars.setAttribute("aria-hidden", "true");
        const time = element("span", mark ?? "", ms == null ? (size ? "" : NONE) : sectorTime(ms));
        const told = mark ? [element("span", "sr", mark === "overall" ? " best of all" : " personal best")] : [];
        this.cells[`s${sector}`].replaceChildren(time, ...told, bars);
        this.cells[`s${sector}`].title = ms >= 60000 ? lapTime(ms) : ""; // the cell has room for its tenths only
      });
    }
  }

  stops(car) {
    const last = car.pit_stops?.at(-1);
    const seconds = (ms) => (ms / 1000).toFixed(1);
    const told = last?.pit_lane_ms == null ? "" : seconds(last.pit_lane_ms) + (last.stationary_ms == null ? "" : ` · ${seconds(last.stationary_ms)}`);
    this.cells.stops.replaceChildren(String(car.stops ?? 0), ...(told ? [element("span", "sub", told)] : []));
    this.cells.stops.title = (car.pit_stops ?? []).map(stopText).join("\n");
  }

  text(column, value) {
    this.once(column, value, () => (this.cells[column].textContent = value));
  }

  /** The feed's own distance where it has one, with the measured one beside it for who points at it. */
  distance(column, instead, measured, ms, laps) {
    const official = ms != null || laps > 0 ? gap(ms, laps) : null;
    this.text(column, instead ?? official ?? measured);
    this.once(`${column}-title`, !instead && official ? `official; measured ${measured}` : "", (title) => (this.cells[column].title = title));
  }

  /** Touch the document only when the value is another one than last time. */
  once(name, value, change) {
    if (this.shown[name] === value) return;
    this.shown[name] = value;
    change(value);
  }
}

/** The position, and how many places it is from the grid's. */
function place(position, entry) {
  const gained = position && entry?.grid_position ? entry.grid_position - position : 0;
  if (!gained) return [String(position || NONE)];
  return [String(position), sign(`${gained > 0 ? "▲" : "▼"}${Math.abs(gained)}`, `change ${gained > 0 ? "gained" : "lost"}`, `${Math.abs(gained)} ${gained > 0 ? "gained" : "lost"}`)];
}

/** What stands beside the three letters; the whole name is the cell's title. */
function surname(name) {
  return name.split(" ").slice(1).join(" ") || name;
}

/** Where a car stands to the cut of a qualifying: "last" to go on, "below", or neither. */
function cut(car, race) {
  if (race.goes_on == null || car.status === "eliminated") return "";
  return car.position === race.goes_on ? "last" : car.position > race.goes_on ? "below" : "";
}

function lapOf(race) {
  return race.lap ? `LAP ${race.lap}` : NONE;
}

function timed(ms, mark) {
  const time = element("span", mark ?? "", lapTime(ms));
  if (mark === "personal") return [time, sign("PB", "personal", "personal best")];
  if (mark === "overall") return [time, sign("★", "overall", "best of all")];
  return [time];
}

/** A sign for the eye with its meaning for the ear. */
export function sign(letter, kind, meaning) {
  const sighted = element("b", `mark ${kind}`, letter);
  sighted.setAttribute("aria-hidden", "true");
  return element("span", "", [sighted, element("span", "sr", ` ${meaning}`)]);
}

function tyre({ compound, tyre_age: laps, stints }) {
  if (!compound) return [NONE];
  const letter = inColor(element("i", "compound", compoundOf(compound).letter), compound);
  letter.setAttribute("aria-hidden", "true");
  const past = (stints ?? []).slice(0, -1).map((stint) => inColor(element("i"), stint.compound));
  const before = element("span", "past", past);
  before.setAttribute("aria-hidden", "true");
  const set = element("span", "tyre", [before, letter, element("span", "sr", `${named(compound)} `), element("span", "tyre-age", laps ?? NONE), element("span", "sr", " laps")]);
  const history = (stints ?? []).map((stint) => `${named(stint.compound)}: ${stint.laps} laps from lap ${stint.first_lap}${stint.fresh === false ? ", used" : ""}`);
  set.title = history.length ? history.join("\n") : laps == null ? named(compound) : `${named(compound)}, ${laps} laps`;
  return [set];
}

function inColor(made, compound) {
  made.style.setProperty("--set", `var(${compoundOf(compound).color})`);
  return made;
}

function named(compound) {
  return compound ? compound[0] + compound.slice(1).toLowerCase() : "Unknown";
}

function stopText(stop) {
  const seconds = (ms) => (ms == null ? "" : `${(ms / 1000).toFixed(1)} s`);
  const parts = [`Lap ${stop.lap}`];
  if (stop.pit_lane_ms != null) parts.push(`${seconds(stop.pit_lane_ms)} in the pit lane`);
  if (stop.stationary_ms != null) parts.push(`${seconds(stop.stationary_ms)} standing`);
  return parts.join(", ");
}

/** The head of a row of results or standings: three letters and the name; a team has only its name. */
export function driverCell(code, name, team) {
  const cell = element("th", "", [element("span", "names", code ? [element("b", "tla", code), element("span", "name", surname(name))] : [element("b", "tla", name)])]);
  cell.scope = "row";
  cell.dataset.col = "driver";
  cell.title = [name, team].filter(Boolean).join(", ");
  return cell;
}

/** An element with a class and text, or children. */
export function element(tag, name = "", content = "") {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (Array.isArray(content)) made.append(...content);
  else made.textContent = content;
  return made;
}
