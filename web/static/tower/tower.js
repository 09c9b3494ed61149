// The timing tower: one row per car, in race order.

import { byId } from "../page/dom.js";
import { arrange } from "../page/rows.js";
import { gapsToShow } from "../session/gaps.js";
import { carStatus, isTimedSession, raceOrder, signalAge } from "../session/snapshot.js";
import { Row } from "./row.js";

const GLIDE_MS = 450; // duration of a row's movement to its new position
const MINI_SOURCES = { feed: "mini-sectors from the feed", lines: "mini-sectors from our own timing lines" };

export class Tower {
  /** `body` is the table's tbody. */
  constructor(body, selection) {
    this.body = body;
    this.selection = selection;
    this.rows = new Map(); // by car number
    this.order = ""; // car numbers as shown
    this.gapsInSeconds = false; // of lapped cars, instead of laps
    this.miniSource = byId("mini-source");
    this.reducedMotion = window.matchMedia("(prefers-reduced-motion: reduce)");
    selection.onChange(() => this.markSelected());
    const button = byId("seconds");
    button.addEventListener("click", () => {
      this.gapsInSeconds = !this.gapsInSeconds;
      button.setAttribute("aria-pressed", String(this.gapsInSeconds));
    });
  }

  reset() {
    this.body.replaceChildren();
    this.rows.clear();
    this.order = "";
  }

  /** Show the view's snapshot. */
  render({ snapshot, silence, history, t }) {
    const laps = history.laps(t);
    const order = raceOrder(snapshot);
    const { race } = snapshot;
    this.body.parentElement.dataset.timed = String(isTimedSession(race));
    this.miniSource.hidden = !race.mini_source;
    if (race.mini_source && this.miniSource.textContent !== MINI_SOURCES[race.mini_source]) this.miniSource.textContent = MINI_SOURCES[race.mini_source];
    const gaps = isTimedSession(race) ? null : gapsToShow(snapshot, order);
    const leader = order.length ? snapshot.head.cars[order[0]].driver_number : null;
    order.forEach((i, place) => {
      const entry = snapshot.head.cars[i];
      const car = snapshot.cars[entry.driver_number] ?? {};
      const status = carStatus(car, signalAge(snapshot, i), race.ended ? 0 : silence);
      const row = this.rows.get(entry.driver_number) ?? this.addRow(entry);
      const behind = this.gapsInSeconds && car.laps_down > 0 ? timeBehind(laps, leader, entry.driver_number) : null;
      row.render(snapshot, i, car, status, place === 0, behind, gaps?.get(i));
    });
    this.arrange(order.map((i) => snapshot.head.cars[i].driver_number));
  }

  /** Put the rows in order; rows that change position glide there. */
  arrange(numbers) {
    if (numbers.join() === this.order) return;
    const glide = this.order && !this.reducedMotion.matches && document.visibilityState === "visible";
    this.order = numbers.join();
    document.querySelector(".live").style.setProperty("--cars", numbers.length); // for the height of the rows
    const before = new Map(glide ? [...this.rows].map(([number, row]) => [number, row.element.offsetTop]) : []);
    for (const number of this.rows.keys()) if (!numbers.includes(number)) this.rows.delete(number);
    arrange(this.body, numbers.map((number) => this.rows.get(number).element));
    for (const [number, top] of before) {
      const row = this.rows.get(number);
      const offset = row ? top - row.element.offsetTop : 0;
      if (offset) row.element.animate([{ transform: `translateY(${offset}px)` }, { transform: "none" }], { duration: GLIDE_MS, easing: "ease-out" });
    }
  }

  addRow(entry) {
    const row = new Row(entry, () => this.selection.toggle(entry.driver_number));
    this.rows.set(entry.driver_number, row);
    this.markSelected();
    return row;
  }

  markSelected() {
    for (const [number, row] of this.rows) row.setSelected(this.selection.has(number));
  }
}

/** Time in ms behind the leader at the end of the car's last lap; null if one of the two laps is missing or estimated. */
function timeBehind(laps, leader, number) {
  const own = laps?.get(number)?.findLast((lap) => !lap.made);
  const theirs = own && laps.get(leader)?.find((lap) => lap.lap === own.lap);
  return theirs ? own.end - theirs.end : null;
}
