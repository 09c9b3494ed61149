// The comparison of two laps of any drivers: channels and time difference over distance.

import { byId, element } from "../page/dom.js";
import { lapTime, teamColor } from "../page/format.js";
import { CONFIG, colours, layout, plain, plotly } from "./plotly.js";

// Name, axis title and vertical part (0–1) of the chart.
const CHANNELS = [
  ["delta", "Δ s", [0.83, 1]],
  ["speed", "km/h", [0.45, 0.8]],
  ["throttle", "Throttle %", [0.28, 0.42]],
  ["brake", "Brake", [0.19, 0.25]],
  ["gear", "Gear", [0, 0.16]],
];

export class LapComparison {
  /** `onPoint(points)` gets both cars' places at the distance under the pointer, `[{x, y, color}]` in 1/10 m; empty for none. */
  constructor(selection, onPoint) {
    this.selection = selection;
    this.onPoint = onPoint;
    this.inView = false;
    new IntersectionObserver(([change]) => (this.inView = change.isIntersecting)).observe(byId("compare-chart"));
    this.sides = ["a", "b"].map(createSide);
    byId("compare-laps").replaceChildren(...this.sides.map((side) => side.label));
    selection.onChange(() => this.followSelection());
    window.addEventListener("themechange", () => (this.loaded = ""));
    this.reset();
  }

  reset() {
    this.head = null;
    this.loaded = ""; // the two laps of the last answer
    this.offered = ""; // what the choices of laps were made from
    byId("compare-note").textContent = "";
    byId("compare-chart").replaceChildren();
    this.onPoint([]);
  }

  /** Compare the two drivers selected last. */
  followSelection() {
    if (!this.head) return;
    this.selection.numbers.slice(-2).forEach((number, i) => (this.sides[i].car.value = number));
  }

  /** Offer the drivers and laps known at the horizon; load and draw the comparison if the choice has changed. */
  async render({ snapshot, history, horizon, t }) {
    const { head } = snapshot;
    if (head.session_key !== this.head?.session_key || head.epoch !== this.head?.epoch) this.setHead(head);
    if (!this.inView) return;
    this.offerLaps(history, horizon);
    const wanted = this.sides.map((side) => `${side.car.value}:${side.lap.value}`);
    for (const side of this.sides) side.swatch.style.setProperty("--team", colorOf(head, side.car.value));
    if (this.sides.some((side) => !side.lap.value)) {
      byId("compare-note").textContent = "Each driver needs a completed lap first.";
      return;
    }
    if (wanted.join() === this.loaded || this.busy) return;
    this.busy = true;
    try {
      const until = horizon === Infinity ? "" : `&at=${Math.floor(t)}`;
      const response = await fetch(`/api/sessions/${encodeURIComponent(head.session_key)}/compare?a=${wanted[0]}&b=${wanted[1]}${until}`);
      const answer = await response.json();
      this.loaded = wanted.join();
      if (!response.ok) throw new Error(answer.error);
      await this.draw(answer, head);
    } catch (error) {
      byId("compare-note").textContent = `These laps cannot be compared: ${error.message}`;
      this.loaded = wanted.join();
    } finally {
      this.busy = false;
    }
  }

  setHead(head) {
    this.reset();
    this.head = head;
    for (const [i, side] of this.sides.entries()) {
      side.car.replaceChildren(...head.cars.map((entry) => new Option(`${entry.tla} ${entry.driver_number}`, entry.driver_number)));
      side.car.selectedIndex = Math.min(i, head.cars.length - 1);
    }
    this.followSelection();
  }

  offerLaps(history, horizon) {
    const laps = history.laps(horizon);
    const offered = `${history.version(horizon)} ${this.sides.map((side) => side.car.value)}`;
    if (offered === this.offered) return;
    this.offered = offered;
    for (const side of this.sides) offer(side, laps.get(side.car.value) ?? []);
  }

  /** Draw the API's answer. */
  async draw(answer, head) {
    const library = await plotly();
    const { a, b } = answer;
    const names = [a, b].map((side) => head.cars.find((car) => car.driver_number === side.car)?.tla ?? side.car);
    const [colorA, colorB] = [a, b].map((side) => colorOf(head, side.car));
    const sides = [
      { data: a, name: plain(names[0]), color: colorA, dash: "solid" },
      { data: b, name: plain(names[1]), color: colorA === colorB ? colours()("--text") : colorB, dash: "dot" }, // team mates
    ];
    const difference = answer.delta_ms.at(-1);
    const summary = `${names[0]} lap ${a.lap} ${lapTime(a.lap_time_ms)}, ${names[1]} lap ${b.lap} ${lapTime(b.lap_time_ms)}: ${names[difference > 0 ? 1 : 0]} is ${(Math.abs(difference) / 1000).toFixed(3)} s slower`;
    const chart = byId("compare-chart");
    if (!chart.firstChild) chart.append(element("div"));
    chart.setAttribute("role", "img");
    chart.setAttribute("aria-label", summary);
    byId("compare-note").textContent = summary;
    const plot = chart.firstChild;
    await library.react(plot, traces(answer, sides), axes(answer), CONFIG);
    this.followPointer(plot, answer.distance_m, sides);
  }

  /** Report the cars' places at the distance under the pointer. */
  followPointer(plot, distances, sides) {
    plot.removeAllListeners?.("plotly_hover");
    plot.removeAllListeners?.("plotly_unhover");
    plot.on("plotly_hover", (event) => {
      const i = distances.findIndex((metres) => metres >= event.points[0].x);
      if (i >= 0) this.onPoint(sides.map(({ data, color }) => ({ x: data.x[i], y: data.y[i], color })));
    });
    plot.on("plotly_unhover", () => this.onPoint([]));
  }
}

/** The choice of a driver and a lap; `chosen` is the viewer's lap number, or "best". */
function createSide(name) {
  const [car, lap, swatch] = [element("select"), element("select"), element("i", name === "b" ? "dashed" : "")];
  car.setAttribute("aria-label", `Driver ${name.toUpperCase()}`);
  lap.setAttribute("aria-label", `Lap of driver ${name.toUpperCase()}`);
  const side = { car, lap, swatch, label: element("span", "laps-of", [swatch, car, lap]), chosen: "best" };
  lap.addEventListener("change", () => (side.chosen = lap.value));
  return side;
}

/** Offer a car's measured laps, newest first, and keep the viewer's choice. */
function offer(side, laps) {
  const driven = laps.filter((lap) => lap.ms && !lap.made);
  const best = driven.filter((lap) => !lap.deleted).reduce((least, lap) => (least && least.ms <= lap.ms ? least : lap), null);
  const options = driven.toReversed().map((lap) => new Option(`${lap.lap}: ${lapTime(lap.ms)}${lap === best ? " ★" : ""}`, String(lap.lap)));
  side.lap.replaceChildren(...options);
  const wanted = side.chosen === "best" ? best && String(best.lap) : side.chosen;
  if (wanted) side.lap.value = wanted;
}

function traces(answer, sides) {
  const x = answer.distance_m;
  return CHANNELS.flatMap(([channel], i) => {
    const axis = i ? { yaxis: `y${i + 1}` } : {};
    if (channel === "delta") {
      return [{ type: "scatter", mode: "lines", x, y: answer.delta_ms.map((ms) => ms / 1000), text: answer.delta_ms.map(signedSeconds), line: { color: colours()("--text"), width: 1.6 }, fill: "tozeroy", fillcolor: "rgba(128,140,160,.16)", hovertemplate: `${sides[1].name} %{text} s<extra></extra>`, ...axis }];
    }
    const shape = channel === "gear" || channel === "brake" ? "hv" : "linear";
    return sides.map(({ data, name, color, dash }) => ({
      type: "scatter", mode: "lines", x, y: data[channel].map(Number), line: { color, dash, width: 1.5, shape }, hovertemplate: `${name} %{y:.0f}<extra></extra>`, ...axis,
    }));
  });
}

function axes(answer) {
  const figure = layout({ title: "Metres from the finish line", anchor: "y5", range: [0, answer.distance_m.at(-1)] }, {}, { hovermode: "x unified", margin: { l: 52, r: 14, t: 6, b: 34 } });
  const ranges = { gear: { range: [0, 9] }, brake: { range: [-0.1, 1.1], showticklabels: false }, throttle: { range: [-5, 105] } };
  CHANNELS.forEach(([channel, title, domain], i) => {
    figure[i ? `yaxis${i + 1}` : "yaxis"] = { ...figure.yaxis, domain, title: { text: title, font: { size: 10.5 } }, automargin: false, nticks: channel === "speed" ? 6 : 4, zeroline: channel === "delta", ...ranges[channel] };
  });
  return figure;
}

/** Seconds with their sign; Plotly's number format does not support d3's "+.3f". */
function signedSeconds(ms) {
  return `${ms < 0 ? "−" : "+"}${(Math.abs(ms) / 1000).toFixed(3)}`;
}

function colorOf(head, number) {
  return teamColor(head.cars.find((car) => car.driver_number === number)?.team_color);
}
