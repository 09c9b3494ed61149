// One row of the timing tower. A cell is changed only when its value differs from the last one shown.

import { Changes } from "../page/changes.js";
import { element, surname } from "../page/dom.js";
import { NONE, age, gap, lapTime, sectorTime, teamColor } from "../page/format.js";
import { officialGaps } from "../session/gaps.js";
import { isTimedSession } from "../session/snapshot.js";
import { cutState, markedTime, positionParts, stopsSummary, stopsTitle, tyreParts } from "./cells.js";
import { renderPenalties } from "./penalties.js";

const COLUMNS = ["pos", "driver", "gap", "interval", "last", "best", "s1", "s2", "s3", "tyre", "stops", "speed", "lap", "penalty", "update"];
const TAGS = {
  finished: "has taken the chequered flag", retired: "has retired", out: "no signal for 30 s or more", stale: "no signal for 5 s or more",
  pit: "in the pit lane", grid: "on the grid", eliminated: "does not take part in the next part of the qualifying",
}; // what a status means
const FULL_BAR_KMH = 360; // speed that fills the speed bar

export class Row {
  /** `entry` is the car's entry in the head, `onClick()` is called when the row is clicked. */
  constructor(entry, onClick) {
    this.entry = entry;
    this.element = element("tr");
    this.element.dataset.car = entry.driver_number;
    this.element.style.setProperty("--team", teamColor(entry.team_color));
    this.cells = {};
    this.shown = {}; // by name, the value shown last
    this.penalties = new Changes();
    for (const column of COLUMNS) {
      const cell = element(column === "driver" ? "th" : "td");
      if (column === "driver") cell.scope = "row";
      cell.dataset.col = column;
      this.cells[column] = cell;
      this.element.append(cell);
    }
    this.addDriver(entry);
    this.element.addEventListener("click", onClick);
    this.speedBar = element("i", "speed-bar");
    this.drs = element("span", "drs", "DRS");
    this.drs.hidden = true;
    this.speed = element("span");
    this.cells.speed.append(this.drs, this.speed, this.speedBar);
  }

  addDriver(entry) {
    this.tag = element("span", "tag");
    const name = element("span", "names", [element("b", "tla", entry.tla), element("span", "name", surname(entry.name))]);
    this.button = element("button", "driver", [element("span", "number", entry.driver_number), name, this.tag]);
    this.button.type = "button";
    this.button.setAttribute("aria-pressed", "false");
    this.cells.driver.append(this.button);
    this.cells.driver.title = `${entry.name}, ${entry.team}`;
  }

  setSelected(selected) {
    this.element.dataset.selected = String(selected);
    this.button.setAttribute("aria-pressed", String(selected));
  }

  /**
   * Show car `i` of a snapshot. `behind` is its time behind the leader in ms if it replaces laps, else null; `toShow` are
   * its gaps of gapsToShow(), null where the order is by best lap.
   */
  render(snapshot, i, car, status, isLeader, behind, toShow) {
    const { race } = snapshot;
    const out = status.code === "retired" || status.code === "out";
    const done = out || status.code === "finished" || status.code === "eliminated"; // what it drives now is no timing
    this.update("status", status.code, () => {
      this.element.dataset.status = status.code;
      this.tag.textContent = status.label;
      this.tag.title = TAGS[status.code] ?? "";
      this.tag.hidden = !status.label;
    });
    this.update("pos", `${car.position} ${this.entry.grid_position}`, () => this.cells.pos.replaceChildren(...positionParts(car.position, isTimedSession(race) ? null : this.entry)));
    this.renderGaps(snapshot, i, car, out, isLeader, behind, toShow ?? officialGaps(car));
    this.update("cut", cutState(car, race), (state) => (this.element.dataset.cut = state));
    this.setText("lap", car.lap ?? NONE);
    this.setText("update", snapshot.age[i] == null && snapshot.along?.[i] != null ? "est." : age(snapshot.age[i] == null ? null : status.age));
    this.update("last", `${car.last_lap_ms} ${car.last_lap_mark}`, () => this.cells.last.replaceChildren(...markedTime(car.last_lap_ms, car.last_lap_mark)));
    const best = car.best_lap_ms && race.fastest_lap?.driver_number === this.entry.driver_number ? "overall" : null;
    this.update("best", `${car.best_lap_ms} ${best}`, () => this.cells.best.replaceChildren(...markedTime(car.best_lap_ms, best)));
    this.renderSectors(car, race.mini_sectors);
    this.update("tyre", JSON.stringify([car.compound, car.tyre_age, car.stints?.length]), () => this.cells.tyre.replaceChildren(...tyreParts(car)));
    const timed = isTimedSession(race); // a car in its garage has not stopped for 222 s
    this.update("stops", JSON.stringify([car.stops, car.pit_stops, timed]), () => {
      const summary = timed ? "" : stopsSummary(car);
      this.cells.stops.replaceChildren(String(car.stops ?? 0), ...(summary ? [element("span", "sub", summary)] : []));
      this.cells.stops.title = timed ? "" : stopsTitle(car);
    });
    if (this.penalties.differ(JSON.stringify(car.penalties), car.position_with_penalties, car.position)) renderPenalties(this.cells.penalty, car);
    this.update("drs", snapshot.drs?.[i] === 1 && !done, (open) => (this.drs.hidden = !open));
    this.update("speed", done ? null : snapshot.speed[i], (speed) => {
      this.speed.textContent = speed ?? NONE;
      this.speedBar.style.setProperty("--part", Math.min(1, (speed ?? 0) / FULL_BAR_KMH).toFixed(3));
    });
  }

  renderGaps({ gap: gaps, interval: intervals, race }, i, car, out, isLeader, behind, toShow) {
    const gapMeasured = out && gaps[i] == null && !car.laps_down ? NONE : gap(gaps[i], car.laps_down);
    const gapInstead = isLeader ? "LEADER" : behind === null ? null : gap(behind, 0);
    const intervalInstead = isLeader ? (race.lap ? `LAP ${race.lap}` : NONE) : null;
    this.renderGap("gap", gapInstead, gapMeasured, toShow.gap);
    this.renderGap("interval", intervalInstead, gap(intervals[i], car.interval_laps), toShow.interval);
  }

  /** Show `instead` if given, else `shown`, `{ms, laps, official}`, else the measured gap, which is the tooltip of an official one. */
  renderGap(column, instead, measured, shown) {
    const text = shown && (shown.ms != null || shown.laps > 0) ? gap(shown.ms, shown.laps) : measured;
    this.setText(column, instead ?? text);
    this.update(`${column}-title`, !instead && shown?.official ? `official; measured ${measured}` : "", (title) => (this.cells[column].title = title));
  }

  /** Sector times with their marks, and below them the lap's mini-sectors. `sizes` are the mini-sectors per sector. */
  renderSectors(car, sizes) {
    let from = 0;
    for (const sector of [1, 2, 3]) {
      const { ms, mark } = car.sectors?.[sector - 1] ?? {};
      const size = sizes?.[sector - 1] ?? 0;
      const minis = (car.mini_sectors ?? "").slice(from, from + size);
      from += size;
      this.update(`s${sector}`, `${ms} ${mark} ${minis} ${size}`, () => {
        const bars = element("span", "minis", Array.from({ length: size }, (_, k) => {
          const bar = element("i");
          if (minis[k]) bar.dataset.m = minis[k];
          return bar;
        }));
        bars.setAttribute("aria-hidden", "true");
        const time = element("span", mark ?? "", ms == null ? (size ? "" : NONE) : sectorTime(ms));
        const meaning = mark ? [element("span", "sr", mark === "overall" ? " best of all" : " personal best")] : [];
        const cell = this.cells[`s${sector}`];
        cell.replaceChildren(time, ...meaning, bars);
        cell.title = ms >= 60000 ? lapTime(ms) : ""; // the cell is too narrow for thousandths from one minute
      });
    }
  }

  setText(column, value) {
    this.update(column, value, () => (this.cells[column].textContent = value));
  }

  /** Call `change(value)` if `value` differs from the last one with this name. */
  update(name, value, change) {
    if (this.shown[name] === value) return;
    this.shown[name] = value;
    change(value);
  }
}
