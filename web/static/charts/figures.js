// The charts as Plotly figures, made of the laps and messages known at the view's horizon. Each function returns
// `{traces, layout, label, note}`, or null without data.

import { compoundOf } from "../page/flags-and-compounds.js";
import { lapTime, teamColor } from "../page/format.js";
import { raceOrder } from "../session/snapshot.js";
import { colours, flagShapes, lapScale, layout, plain } from "./plotly.js";

const SLOW = 1.14; // times the fastest lap; slower laps do not extend the scale of the lap times
const SHOWN = 5; // number of cars whose lap times are shown while no driver is selected

/** Cars in race order with their escaped name, colour, dash (dotted for the team's second car) and whether highlighted. */
function cars({ snapshot, selection }) {
  const teams = new Set();
  const all = snapshot.head.cars.map((entry, i) => {
    const second = teams.has(entry.team);
    teams.add(entry.team);
    return { i, entry, name: plain(entry.tla), number: entry.driver_number, color: teamColor(entry.team_color), dash: second ? "dot" : "solid", highlighted: !selection.numbers.length || selection.has(entry.driver_number) };
  });
  return raceOrder(snapshot).map((i) => all[i]);
}

function line(car, x, y, more) {
  return { type: "scatter", mode: "lines", name: car.name, x, y, opacity: car.highlighted ? 1 : 0.18, line: { color: car.color, dash: car.dash, width: car.highlighted ? 2 : 1.3 }, ...more };
}

/** Annotations with names at the ends of the lines, earlier lines first; `span` of y has room for `rows` names. */
function lineNames(lines, span, rows = 26) {
  const taken = [];
  return lines.flatMap((each) => {
    const y = each.y.at(-1);
    if (y == null || taken.some((other) => Math.abs(other - y) < span / rows)) return [];
    taken.push(y);
    return [{ x: each.x.at(-1), y, xref: "x", yref: "y", text: each.name, showarrow: false, xanchor: "left", xshift: 4, font: { size: 10.5, color: each.line.color }, opacity: each.opacity < 1 ? 0.5 : 1 }];
  });
}

/** Session time (ms) at which the first car ended each lap. */
function lapEnds(laps) {
  const ends = new Map();
  for (const own of laps.values()) for (const lap of own) if (!lap.made) ends.set(lap.lap, Math.min(ends.get(lap.lap) ?? Infinity, lap.end));
  return ends;
}

/** Race trace: each car's gap to the leader by lap. */
export function trace(view) {
  const laps = view.history.laps(view.horizon);
  const ends = lapEnds(laps);
  if (!ends.size) return null;
  const lines = cars(view).flatMap((car) => {
    const own = (laps.get(car.number) ?? []).filter((lap) => !lap.made && ends.has(lap.lap));
    return own.length ? [line(car, own.map((lap) => lap.lap), own.map((lap) => (lap.end - ends.get(lap.lap)) / 1000), { hovertemplate: `${car.name} lap %{x}: +%{y:.3f} s<extra></extra>` })] : [];
  });
  const worst = Math.max(...lines.flatMap((each) => each.y));
  return { traces: lines, layout: layout({ title: "Lap", rangemode: "tozero" }, { title: "Seconds behind", autorange: "reversed", rangemode: "tozero" }, { shapes: flagShapesByLap(view), annotations: lineNames(lines, worst || 1) }), label: `Race trace over ${ends.size} laps` };
}

/** Each car's position by lap, from its place on the grid. */
export function positions(view) {
  const laps = view.history.laps(view.horizon);
  if (!laps.size) return null;
  const lines = cars(view).flatMap((car) => {
    const own = (laps.get(car.number) ?? []).filter((lap) => lap.pos != null);
    const grid = car.entry.grid_position ? [{ lap: 0, pos: car.entry.grid_position }] : [];
    const all = [...grid, ...own];
    return all.length > 1 ? [line(car, all.map((lap) => lap.lap), all.map((lap) => lap.pos), { hovertemplate: `${car.name} P%{y} after lap %{x}<extra></extra>` })] : [];
  });
  if (!lines.length) return null;
  const count = view.snapshot.head.cars.length;
  const annotations = lineNames(lines, count, count + 1);
  return { traces: lines, layout: layout({ title: "Lap" }, { range: [count + 0.5, 0.5], dtick: 1, tickfont: { size: 10 } }, { shapes: flagShapesByLap(view), annotations }), label: "Positions by lap" };
}

/** Flags as shapes on an axis of laps. */
function flagShapesByLap({ snapshot, history, horizon, t }) {
  const until = Math.min(horizon, Math.max(t, history.entries.at(-1)?.t ?? t));
  return flagShapes(history.statuses(until), lapScale(history.lapStarts(horizon, snapshot.race.started_ms), until));
}

/** Lap times of the selected cars, else of the first ones; a diamond is a lap out of or into the pit lane. */
export function laptimes(view) {
  const laps = view.history.laps(view.horizon);
  const times = [...laps.values()].flat().flatMap((lap) => (lap.ms && !lap.deleted ? [lap.ms] : []));
  if (!times.length) return null;
  const fastest = Math.min(...times) / 1000;
  const chosen = cars(view).filter((car) => laps.get(car.number)?.some((lap) => lap.ms));
  const wanted = view.selection.numbers.length ? chosen.filter((car) => view.selection.has(car.number)) : chosen.slice(0, SHOWN);
  const color = colours();
  const lines = wanted.map((car) => {
    const own = laps.get(car.number).filter((lap) => lap.ms && !lap.made);
    return line(car, own.map((lap) => lap.lap), own.map((lap) => lap.ms / 1000), {
      mode: "lines+markers",
      marker: { size: 6, color: own.map((lap) => color(compoundOf(lap.tyre).color)), line: { color: car.color, width: 1.2 }, symbol: own.map((lap) => (lap.in || lap.out ? "diamond" : "circle")) },
      text: own.map((lap) => `${lapTime(lap.ms)}${lap.tyre ? `, ${plain(lap.tyre.toLowerCase())} ${lap.life ?? ""}` : ""}${lap.deleted ? ", deleted" : ""}`),
      hovertemplate: `${car.name} lap %{x}: %{text}<extra></extra>`,
    });
  });
  const drawn = lines.flatMap((each) => each.y).sort((a, b) => a - b);
  const limit = Math.max(fastest * SLOW, drawn[drawn.length >> 1]);
  const top = Math.max(fastest * 1.02, ...drawn.filter((seconds) => seconds <= limit));
  const annotations = lineNames(lines, top - fastest);
  return {
    traces: lines, label: `Lap times of ${wanted.map((car) => car.entry.tla).join(", ")}`,
    layout: layout({ title: "Lap" }, { range: [fastest - 0.4, top + 0.4], tickformat: ".1f", title: "Seconds" }, { shapes: flagShapesByLap(view), annotations }),
    note: view.selection.numbers.length ? "" : `the first ${SHOWN} cars; select drivers to see others`,
  };
}

/** Stints by car, coloured by compound; hatched where the set was used before. */
export function strategy(view) {
  const color = colours();
  const order = cars(view);
  const bars = order.flatMap((car) =>
    (view.snapshot.cars[car.number]?.stints ?? []).filter((stint) => stint.laps > 0).map((stint) => ({
      type: "bar", orientation: "h", y: [car.name], x: [stint.laps], base: [stint.first_lap - 1], width: 0.72,
      marker: { opacity: car.highlighted ? 1 : 0.3, color: color(compoundOf(stint.compound).color), line: { color: color("--panel"), width: 2 }, pattern: { shape: stint.fresh === false || stint.tyre_life_before > 0 ? "/" : "", size: 7, solidity: 0.3, fillmode: "overlay", fgcolor: color("--panel") } },
      text: [String(stint.laps)], textposition: "inside", insidetextanchor: "middle", textangle: 0, constraintext: "none", insidetextfont: { color: car.highlighted ? "#10151d" : color("--muted"), size: 10 },
      hovertemplate: `${car.name}: ${plain(stint.compound.toLowerCase())}, ${stint.laps} laps from lap ${stint.first_lap}${stint.tyre_life_before ? `, ${stint.tyre_life_before} before` : ""}<extra></extra>`,
    })),
  );
  if (!bars.length) return null;
  const categories = order.map((car) => car.name).reverse();
  const total = view.snapshot.race.total_laps;
  return { traces: bars, label: "Tyres by stint", layout: layout({ title: "Lap", range: total ? [0, total] : undefined }, { categoryorder: "array", categoryarray: categories, tickfont: { size: 10 }, dtick: 1 }, { barmode: "overlay" }) };
}

/** Temperatures, wind and humidity over session time, shaded where it rains. */
export function weather(view) {
  const samples = view.history.messages(view.horizon, "weather");
  if (samples.length < 2) return null;
  const color = colours();
  const x = samples.map((each) => each.session_time_ms / 60000);
  const draw = (name, key, shade, unit, more) => ({ type: "scatter", mode: "lines", name, x, y: samples.map((each) => each[key]), line: { color: color(shade), width: 2, ...more?.line }, hovertemplate: `${name} %{y} ${unit}<extra></extra>`, ...more?.on });
  const wet = [];
  samples.forEach((each, i) => {
    if (each.rainfall) wet.push({ type: "rect", xref: "x", yref: "paper", x0: x[i], x1: x[i + 1] ?? x[i] + 1, y0: 0, y1: 1, line: { width: 0 }, fillcolor: color("--wet"), opacity: 0.2, layer: "below" });
  });
  const traces = [
    draw("Track", "track_temp", "--red", "°C"),
    draw("Air", "air_temp", "--stale", "°C"),
    draw("Wind", "wind_speed", "--muted", "m/s", { line: { dash: "dot" } }),
    draw("Humidity", "humidity", "--wet", "%", { line: { dash: "dash" }, on: { yaxis: "y2" } }),
  ];
  const look = layout({ title: "Minutes of the session" }, { title: "°C, m/s" }, { shapes: wet, hovermode: "x unified", showlegend: true, legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 } });
  look.margin = { ...look.margin, t: 30 };
  look.yaxis2 = { ...look.yaxis, overlaying: "y", side: "right", title: { text: "%", font: { size: 11 } }, range: [0, 100], showgrid: false };
  return { traces, layout: look, label: "Temperatures, wind and humidity; blue where it rains" };
}
