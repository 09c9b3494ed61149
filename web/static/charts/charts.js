// Which charts are in sight, and drawing them again when what they show has changed.

import { CONFIG, plotly } from "./plotly.js";
import { laptimes, positions, strategy, trace, weather } from "./figures.js";

const KINDS = { trace, positions, laptimes, strategy, weather };
const DRAW_MS = 1000; // a chart is drawn no more often
const NOTHING = { trace: "Begins when the first lap is over", positions: "Begins when the first lap is over", laptimes: "Begins with the first lap time", strategy: "No tyres are known yet", weather: "No weather is known yet" };

export class Charts {
  constructor() {
    this.charts = new Map();
    const seen = new IntersectionObserver((changes) => {
      for (const { target, isIntersecting } of changes) this.charts.get(target).inSight = isIntersecting;
    }, { rootMargin: "120px" });
    for (const place of document.querySelectorAll("[data-chart]")) {
      this.charts.set(place, { kind: place.dataset.chart, inSight: false, drawn: "", at: 0 });
      place.dataset.note = NOTHING[place.dataset.chart];
      seen.observe(place);
    }
    this.theme = 0;
    window.addEventListener("themechange", () => (this.theme += 1));
  }

  /** Another session. */
  reset() {
    for (const chart of this.charts.values()) chart.drawn = "";
  }

  /** `view`: `{snapshot, t, horizon, history, selection}`. */
  async render(view, now) {
    const due = [...this.charts].filter(([, chart]) => chart.inSight && !chart.busy && now - chart.at > DRAW_MS);
    for (const [place, chart] of due) {
      const wanted = [view.history.version(view.horizon), view.selection.numbers, this.theme, view.snapshot.race.lap, chart.kind === "strategy" ? JSON.stringify(Object.values(view.snapshot.cars).map((car) => [car.position, car.stints])) : ""].join();
      if (wanted === chart.drawn) continue;
      chart.busy = true;
      try {
        await this.draw(place, chart, view);
        chart.drawn = wanted;
      } catch (error) {
        console.warn(error.message);
        place.dataset.note = `This chart cannot be shown: ${error.message}.`;
      } finally {
        chart.busy = false;
        chart.at = performance.now();
      }
    }
  }

  async draw(place, chart, view) {
    if (!place.firstChild && KINDS[chart.kind](view)) place.dataset.note = "Loading the charts…";
    const library = await plotly();
    const made = KINDS[chart.kind](view); // now: while the library came the viewer may have gone back
    if (!made) {
      if (place.firstChild) library.purge(place.firstChild);
      place.replaceChildren();
      place.dataset.note = NOTHING[chart.kind];
      return;
    }
    delete place.dataset.note;
    if (!place.firstChild) place.append(document.createElement("div"));
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", made.label);
    const note = document.getElementById(`${chart.kind}-note`);
    if (note) note.textContent = made.note ?? "";
    await library.react(place.firstChild, made.traces, made.layout, CONFIG);
  }
}
