// Draws the charts that are in view, again whenever their data has changed.

import { byId, element } from "../page/dom.js";
import { CONFIG, plotly } from "./plotly.js";
import { laptimes, positions, strategy, trace, weather } from "./figures.js";

const FIGURES = { trace, positions, laptimes, strategy, weather };
const DRAW_MS = 1000; // wall time between two drawings of a chart
const AFTER_FIRST_LAP = "Starts after the first lap";
const EMPTY = { trace: AFTER_FIRST_LAP, positions: AFTER_FIRST_LAP, laptimes: "Starts with the first lap time", strategy: "No tyre data yet", weather: "No weather data yet" };

export class Charts {
  constructor() {
    this.charts = new Map();
    const seen = new IntersectionObserver((changes) => {
      for (const { target, isIntersecting } of changes) this.charts.get(target).inView = isIntersecting;
    }, { rootMargin: "120px" });
    for (const place of document.querySelectorAll("[data-chart]")) {
      this.charts.set(place, { kind: place.dataset.chart, inView: false, drawn: "", at: 0 });
      place.dataset.note = EMPTY[place.dataset.chart];
      seen.observe(place);
    }
    this.theme = 0;
    window.addEventListener("themechange", () => (this.theme += 1));
  }

  /** Draw all charts again: another session. */
  reset() {
    for (const chart of this.charts.values()) chart.drawn = "";
  }

  /** Draw the charts in view whose data has changed. */
  async render(view) {
    const { now } = view;
    const due = [...this.charts].filter(([, chart]) => chart.inView && !chart.busy && now - chart.at > DRAW_MS);
    for (const [place, chart] of due) {
      const inputs = [view.history.version(view.horizon), view.selection.numbers, this.theme, view.snapshot.race.lap, chart.kind === "strategy" ? JSON.stringify(Object.values(view.snapshot.cars).map((car) => [car.position, car.stints])) : ""].join();
      if (inputs === chart.drawn) continue;
      chart.busy = true;
      try {
        await this.draw(place, chart, view);
        chart.drawn = inputs;
      } catch (error) {
        console.warn(error.message);
        place.dataset.note = `This chart cannot be shown: ${error.message}.`;
      } finally {
        chart.busy = false;
        chart.at = performance.now();
      }
    }
  }

  /** Draw one chart; `place` is its element, `chart` its state. Without data it shows a note instead. */
  async draw(place, chart, view) {
    if (!place.firstChild && FIGURES[chart.kind](view)) place.dataset.note = "Loading the charts…";
    const library = await plotly();
    const figure = FIGURES[chart.kind](view); // after the await: while the library loaded the viewer may have gone back
    if (!figure) {
      if (place.firstChild) library.purge(place.firstChild);
      place.replaceChildren();
      place.dataset.note = EMPTY[chart.kind];
      return;
    }
    delete place.dataset.note;
    if (!place.firstChild) place.append(element("div"));
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", figure.label);
    const note = byId(`${chart.kind}-note`);
    if (note) note.textContent = figure.note ?? "";
    await library.react(place.firstChild, figure.traces, figure.layout, CONFIG);
  }
}
