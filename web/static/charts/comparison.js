// Any two laps of any drivers against distance, with the time between them; the place under the pointer is on the map.

import { CONFIG, colours, layout, plain, plotly } from "./plotly.js";
import { lapTime, teamColor } from "../format.js";
import { element } from "../tower/tower.js";

const $ = (id) => document.getElementById(id);
const ROWS = [
  ["delta", "Δ s", [0.83, 1]],
  ["speed", "km/h", [0.45, 0.8]],
  ["throttle", "Throttle %", [0.28, 0.42]],
  ["brake", "Brake", [0.19, 0.25]],
  ["gear", "Gear", [0, 0.16]],
];

export class LapComparison {
  /** `onPoint(places)`: where both cars were at the place under the pointer, `[{x, y, color}]`; empty for none. */
  constructor(selection, onPoint) {
    this.selection = selection;
    this.onPoint = onPoint;
    this.inSight = false;
    new IntersectionObserver(([change]) => (this.inSight = change.isIntersecting)).observe($("compare-chart"));
    this.sides = ["a", "b"].map((name) => this.side(name));
    $("compare-laps").replaceChildren(...this.sides.map((side) => side.label));
    selection.onChange(() => this.follow());
    window.addEventListener("themechange", () => (this.asked = ""));
    this.reset();
  }

  side(name) {
    const [car, lap, swatch] = [element("select"), element("select"), element("i", name === "b" ? "dashed" : "")];
    car.setAttribute("aria-label", `Driver ${name.toUpperCase()}`);
    lap.setAttribute("aria-label", `Lap of driver ${name.toUpperCase()}`);
    const side = { car, lap, swatch, label: element("span", "laps-of", [swatch, car, lap]), chosen: "best" };
    lap.addEventListener("change", () => (side.chosen = lap.value));
    return side;
  }

  reset() {
    this.head = null;
    this.asked = "";
    this.known = "";
    this.answer = null;
    $("compare-note").textContent = "";
    $("compare-chart").replaceChildren();
    this.onPoint([]);
  }

  /** The two drivers picked last are compared. */
  follow() {
    if (!this.head) return;
    const picked = this.selection.numbers.slice(-2);
    picked.forEach((number, i) => (this.sides[i].car.value = number));
  }

  /** Offer the drivers and laps that are known, and ask for the comparison when it is another one. */
  async render({ snapshot, history, horizon, t }) {
    const { head } = snapshot;
    if (head.session_key !== this.head?.session_key || head.epoch !== this.head?.epoch) {
      this.reset();
      this.head = head;
      for (const [i, side] of this.sides.entries()) {
        side.car.replaceChildren(...head.cars.map((entry) => new Option(`${entry.tla} ${entry.driver_number}`, entry.driver_number)));
        side.car.selectedIndex = Math.min(i, head.cars.length - 1);
      }
      this.follow();
    }
    if (!this.inSight) return;
    const laps = history.laps(horizon);
    const known = `${history.version(horizon)} ${this.sides.map((side) => side.car.value)}`;
    if (known !== this.known) {
      this.known = known;
      for (const side of this.sides) offer(side, laps.get(side.car.value) ?? []);
    }
    const wanted = this.sides.map((side) => `${side.car.value}:${side.lap.value}`);
    for (const side of this.sides) side.swatch.style.setProperty("--team", colorOf(head, side.car.value));
    if (this.sides.some((side) => !side.lap.value)) {
      $("compare-note").textContent = "A lap of each driver is needed: the first ends soon.";
      return;
    }
    if (wanted.join() === this.asked || this.busy) return;
    this.busy = true;
    try {
      const until = horizon === Infinity ? "" : `&at=${Math.floor(t)}`;
      const response = await fetch(`/api/sessions/${encodeURIComponent(head.session_key)}/compare?a=${wanted[0]}&b=${wanted[1]}${until}`);
      const answer = await response.json();
      this.asked = wanted.join();
      if (!response.ok) throw new Error(answer.error);
      await this.draw(answer, head);
    } catch (error) {
      $("compare-note").textContent = `These laps cannot be compared: ${error.message}`;
      this.asked = wanted.join();
    } finally {
      this.busy = false;
    }
  }

  async draw(answer, head) {
    const library = await plotly();
    const [a, b] = [answer.a, answer.b];
    const names = [a, b].map((side) => head.cars.find((car) => car.driver_number === side.car)?.tla ?? side.car);
    const [one, two] = [a, b].map((side) => colorOf(head, side.car));
    const color = colours();
    const second = one === two ? color("--text") : two;
    const x = answer.distance_m;
    const traces = ROWS.flatMap(([row], i) => {
      const axis = i ? { yaxis: `y${i + 1}` } : {};
      if (row === "delta") {
        return [{ type: "scatter", mode: "lines", x, y: answer.delta_ms.map((ms) => ms / 1000), text: answer.delta_ms.map(signed), line: { color: color("--text"), width: 1.6 }, fill: "tozeroy", fillcolor: "rgba(128,140,160,.16)", hovertemplate: `${plain(names[1])} %{text} s<extra></extra>`, ...axis }];
      }
      return [[a, one, "solid", plain(names[0])], [b, second, "dot", plain(names[1])]].map(([side, shade, dash, name]) => ({
        type: "scatter", mode: "lines", x, y: side[row].map(Number), line: { color: shade, dash, width: 1.5, shape: row === "gear" || row === "brake" ? "hv" : "linear" }, hovertemplate: `${name} %{y:.0f}<extra></extra>`, ...axis,
      }));
    });
    const look = layout({ title: "Metres from the finish line", anchor: "y5", range: [0, x.at(-1)] }, {}, { hovermode: "x unified", margin: { l: 52, r: 14, t: 6, b: 34 } });
    ROWS.forEach(([row, title, domain], i) => {
      look[i ? `yaxis${i + 1}` : "yaxis"] = { ...look.yaxis, domain, title: { text: title, font: { size: 10.5 } }, automargin: false, nticks: row === "speed" ? 6 : 4, zeroline: row === "delta", ...(row === "gear" ? { range: [0, 9] } : {}), ...(row === "brake" ? { range: [-0.1, 1.1], showticklabels: false } : {}), ...(row === "throttle" ? { range: [-5, 105] } : {}) };
    });
    const place = $("compare-chart");
    if (!place.firstChild) place.append(element("div"));
    place.setAttribute("role", "img");
    const apart = answer.delta_ms.at(-1);
    const said = `${names[0]} lap ${a.lap} ${lapTime(a.lap_time_ms)}, ${names[1]} lap ${b.lap} ${lapTime(b.lap_time_ms)}: ${names[apart > 0 ? 1 : 0]} is ${(Math.abs(apart) / 1000).toFixed(3)} s slower`;
    place.setAttribute("aria-label", said);
    $("compare-note").textContent = said;
    await library.react(place.firstChild, traces, look, CONFIG);
    const plot = place.firstChild;
    plot.removeAllListeners?.("plotly_hover");
    plot.removeAllListeners?.("plotly_unhover");
    plot.on("plotly_hover", (event) => {
      const i = x.findIndex((metres) => metres >= event.points[0].x);
      if (i >= 0) this.onPoint([{ x: a.x[i], y: a.y[i], color: one }, { x: b.x[i], y: b.y[i], color: second }]);
    });
    plot.on("plotly_unhover", () => this.onPoint([]));
  }
}

/** The laps of a car that can be compared: its best, its last, and each by number. */
function offer(side, laps) {
  const driven = laps.filter((lap) => lap.ms && !lap.made);
  const best = driven.filter((lap) => !lap.deleted).reduce((least, lap) => (least && least.ms <= lap.ms ? least : lap), null);
  const options = driven.toReversed().map((lap) => new Option(`${lap.lap}: ${lapTime(lap.ms)}${lap === best ? " ★" : ""}`, String(lap.lap)));
  side.lap.replaceChildren(...options);
  const wanted = side.chosen === "best" ? best && String(best.lap) : side.chosen;
  if (wanted) side.lap.value = wanted;
}

/** Seconds with their sign: Plotly does not take d3's "+.3f". */
function signed(ms) {
  return `${ms < 0 ? "−" : "+"}${(Math.abs(ms) / 1000).toFixed(3)}`;
}

function colorOf(head, number) {
  return teamColor(head.cars.find((car) => car.driver_number === number)?.team_color);
}
