// The comparison of two laps of any drivers: the choice of laps, and the chart of the server's answer.

import { Changes } from "../page/changes.js";
import { byId, element, setText } from "../page/dom.js";
import { lapTime, teamColor } from "../page/format.js";
import { Request } from "../session/request.js";
import { shownLaps } from "../session/snapshot.js";
import { Chart } from "./chart.js";
import { comparisonModel, summaryOf } from "./comparison-model.js";
import { Highlight } from "./highlight.js";

export class LapComparison {
  /** `onPoint(points)` gets both cars' places at the distance under the pointer, `[{x, y, color}]` in 1/10 m; empty for none. */
  constructor(selection, playback, onPoint) {
    this.selection = selection;
    this.onPoint = onPoint;
    this.near = false;
    this.request = new Request();
    const highlight = new Highlight();
    const kind = { name: "compare", empty: "", inputs: () => [this.request.body], make: (view) => (this.request.body ? comparisonModel(view, this.request.body) : null) };
    this.chart = new Chart(kind, highlight, playback);
    highlight.onChange((value) => onPoint(value && this.chart.model ? this.chart.model.pointsAt(value) : []));
    new IntersectionObserver(([change]) => (this.near = change.isIntersecting)).observe(byId("compare-chart"));
    this.sides = ["a", "b"].map(createSide);
    byId("compare-laps").replaceChildren(...this.sides.map((side) => side.label));
    selection.onChange(() => this.followSelection());
    this.reset();
  }

  reset() {
    this.head = null;
    this.request.reset();
    for (const side of this.sides) side.changes.reset();
    byId("compare-note").textContent = "";
    this.chart.reset();
    this.onPoint([]);
  }

  /** Compare the two drivers selected last. */
  followSelection() {
    if (!this.head) return;
    this.selection.numbers.slice(-2).forEach((number, i) => (this.sides[i].car.value = number));
  }

  /** Offer the drivers and laps known at the horizon; ask for the comparison if the choice has changed; draw it. */
  render(view) {
    const { head } = view.snapshot;
    if (head.session_key !== this.head?.session_key || head.epoch !== this.head?.epoch) this.setHead(head);
    if (!this.near) return;
    for (const side of this.sides) {
      offerLaps(side, view);
      side.swatch.style.setProperty("--team", teamColor(head.cars.find((car) => car.driver_number === side.car.value)?.team_color));
    }
    if (this.sides.every((side) => side.lap.value)) this.compare(view);
    else {
      this.request.reset(); // before their first laps nothing of later ones stays
      setText("compare-note", "Each driver needs a completed lap first.");
    }
    this.chart.render(view);
  }

  compare({ snapshot: { head }, horizon, t }) {
    const [a, b] = this.sides.map((side) => `${side.car.value}:${side.lap.value}`);
    const until = horizon === Infinity ? "" : `&at=${Math.floor(t)}`;
    const answer = this.request.get(`/api/sessions/${encodeURIComponent(head.session_key)}/compare?a=${a}&b=${b}${until}`, `${a} ${b}`);
    const problem = answer === null ? "There are too few samples of these laps." : this.request.error;
    if (problem) setText("compare-note", problem);
    else if (answer) setText("compare-note", summaryOf(head, answer));
  }

  setHead(head) {
    this.reset();
    this.head = head;
    for (const [i, side] of this.sides.entries()) {
      side.car.replaceChildren(...head.cars.map((entry) => new Option(`${entry.tla} ${entry.driver_number}`, entry.driver_number)));
      side.car.selectedIndex = Math.min(i, head.cars.length - 1);
      Object.assign(side, { chosen: "best", offered: null, horizon: undefined });
    }
    this.followSelection();
  }
}

/** The choice of a driver and a lap; `chosen` is the viewer's lap number, or "best". */
function createSide(name) {
  const [car, lap, swatch] = [element("select"), element("select"), element("i", name === "b" ? "dashed" : "")];
  car.setAttribute("aria-label", `Driver ${name.toUpperCase()}`);
  lap.setAttribute("aria-label", `Lap of driver ${name.toUpperCase()}`);
  const side = { car, lap, swatch, label: element("span", "laps-of", [swatch, car, lap]), chosen: "best", offered: null, horizon: undefined, changes: new Changes() };
  lap.addEventListener("change", () => (side.chosen = lap.value));
  return side;
}

/**
 * Offer a car's measured laps, newest first, and keep the viewer's choice. The menu of laps is not changed while the
 * viewer uses it: it would close.
 */
function offerLaps(side, { snapshot, history, horizon }) {
  const { car, lap: menu } = side;
  const wentBack = horizon < side.horizon; // to where later laps must not be offered
  side.horizon = horizon;
  const used = !wentBack && (document.activeElement === menu || menu.matches(":hover"));
  if (used && side.offered === car.value) return;
  const driven = shownLaps(history.laps(horizon).get(car.value) ?? [], snapshot.race);
  if (!side.changes.differ(car.value, driven)) return;
  side.offered = car.value;
  const best = driven.filter((lap) => !lap.deleted).reduce((least, lap) => (least && least.ms <= lap.ms ? least : lap), null);
  const options = driven.toReversed().map((lap) => new Option(`${lap.lap}: ${lapTime(lap.ms)}${lap === best ? " ★" : ""}`, String(lap.lap)));
  menu.replaceChildren(...options);
  const wanted = side.chosen === "best" ? best && String(best.lap) : side.chosen;
  if (wanted) menu.value = wanted;
  if (menu.selectedIndex < 0 && best) menu.value = String(best.lap); // the chosen lap is not driven yet
}
