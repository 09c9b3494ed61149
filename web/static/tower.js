// The timing table: one row per car, in race order. Text from the feed only ever becomes textContent.

import { NONE, age, gap, lapTime, teamColor } from "./format.js";
import { byTime, carStatus, raceOrder, signalAge } from "./state.js";

const COLUMNS = ["pos", "driver", "gap", "interval", "lap", "last", "tyre", "stops", "speed", "update"];
const COMPOUNDS = { SOFT: "S", MEDIUM: "M", HARD: "H", INTERMEDIATE: "I", WET: "W" };
const FASTEST_KMH = 360; // the end of the little speed bars

export class Tower {
  constructor(body) {
    this.body = body;
    this.lapTimeName = document.getElementById("lap-time-name");
    this.rows = new Map();
    this.order = "";
  }

  reset() {
    this.body.replaceChildren();
    this.rows.clear();
    this.order = "";
  }

  /** Show a picture; `silence` is ms of wall time since the newest frame. */
  render(picture, silence) {
    const order = raceOrder(picture);
    const over = picture.race.ended;
    const name = byTime(picture.race) ? "BEST LAP" : "LAST LAP";
    if (this.lapTimeName.textContent !== name) this.lapTimeName.textContent = name;
    let leader = true;
    for (const i of order) {
      const entry = picture.head.cars[i];
      const car = picture.cars[entry.driver_number] ?? {};
      const status = carStatus(car, signalAge(picture, i), over ? 0 : silence);
      const row = this.rows.get(entry.driver_number) ?? this.addRow(entry);
      row.render(picture, i, car, status, leader);
      leader = false;
    }
    const numbers = order.map((i) => picture.head.cars[i].driver_number);
    if (numbers.join() !== this.order) {
      this.order = numbers.join();
      for (const [number, row] of this.rows) if (!numbers.includes(number)) this.rows.delete(number) && row.element.remove();
      numbers.forEach((number, place) => {
        const { element } = this.rows.get(number);
        if (this.body.children[place] !== element) this.body.insertBefore(element, this.body.children[place] ?? null);
      });
    }
  }

  addRow(entry) {
    const row = new Row(entry);
    this.rows.set(entry.driver_number, row);
    return row;
  }
}

class Row {
  constructor(entry) {
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
    this.cells.driver.append(element("span", "driver", [element("span", "number", entry.driver_number), name, this.tag]));
    this.cells.driver.title = `${entry.name}, ${entry.team}`;
    this.bar = element("i", "speed-bar");
    this.speed = element("span");
    this.cells.speed.append(this.speed, this.bar);
  }

  render(picture, i, car, status, leader) {
    const { gap: gaps, interval, speed } = picture;
    const out = status.code === "retired" || status.code === "out";
    this.once("status", status.code, () => {
      this.element.dataset.status = status.code;
      this.tag.textContent = status.label;
      this.tag.hidden = !status.label;
    });
    this.text("pos", car.position || NONE);
    const measured = { gap: out && gaps[i] == null && !car.laps_down ? NONE : gap(gaps[i], car.laps_down), interval: gap(interval[i], car.interval_laps) };
    this.distance("gap", leader ? "LEADER" : null, measured.gap, car.official_gap_ms, car.official_gap_laps);
    this.distance("interval", leader ? lapOf(picture.race) : null, measured.interval, car.official_interval_ms, car.official_interval_laps);
    this.once("cut", cut(car, picture.race), (where) => (this.element.dataset.cut = where));
    this.text("lap", car.lap ?? NONE);
    this.text("stops", car.stops ?? 0);
    this.text("update", picture.age[i] == null && picture.along?.[i] != null ? "est." : age(picture.age[i] == null ? null : status.age));
    const [ms, mark] = byTime(picture.race) ? [car.best_lap_ms, leader && car.best_lap_ms ? "overall" : null] : [car.last_lap_ms, car.last_lap_mark];
    this.once("last", `${ms} ${mark}`, () => this.cells.last.replaceChildren(...timed(ms, mark)));
    this.once("tyre", `${car.compound} ${car.tyre_age}`, () => this.cells.tyre.replaceChildren(...tyre(car.compound, car.tyre_age)));
    this.once("stop-list", JSON.stringify(car.pit_stops ?? []), () => {
      this.cells.stops.title = (car.pit_stops ?? []).map(stopText).join("\n");
    });
    this.once("speed", speed[i], () => {
      this.speed.textContent = speed[i] ?? NONE;
      this.bar.style.setProperty("--part", Math.min(1, (speed[i] ?? 0) / FASTEST_KMH).toFixed(3));
    });
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

function tyre(compound, laps) {
  if (!compound) return [NONE];
  const known = COMPOUNDS[compound];
  const letter = element("i", "compound", known ?? "?");
  letter.dataset.compound = known ? compound : "UNKNOWN";
  letter.setAttribute("aria-hidden", "true");
  const name = compound[0] + compound.slice(1).toLowerCase();
  const set = element("span", "tyre", [letter, element("span", "sr", `${name} `), element("span", "tyre-age", laps ?? NONE), element("span", "sr", " laps")]);
  set.title = laps == null ? name : `${name}, ${laps} laps`;
  return [set];
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
