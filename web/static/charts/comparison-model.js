// Two laps over distance: the time between them, speed, throttle, brake and gear, one below the other, with a small map.

import { lapTime, teamColor } from "../page/format.js";
import { Track } from "../map/track.js";
import { MiniMap } from "./mini-map.js";
import { themeColors } from "./colors.js";
import { Plot } from "./plot.js";
import { niceTicks } from "./scale.js";

// Name, title, and share of the height.
const ROWS = [["delta", "Δ s", 0.2], ["speed", "km/h", 0.36], ["throttle", "Throttle", 0.18], ["brake", "Brake", 0.09], ["gear", "Gear", 0.17]];
const LEFT_PX = 58;
const GAP_PX = 16; // between two rows
const CORNERS_PX = 18; // for the corners' numbers, above the first row
const WIDE_PX = 720; // from here on the map stands beside the rows, else above them
const MAP_PX = { wide: 200, narrow: 120 };
const CORNER_GAP_PX = 4; // between two corners' numbers; one that does not fit is left out
const STEPS = 5; // points of the axis that an arrow key moves by
const LEAST_DELTA = 0.05; // s

/** `{label, a, b}` in a sentence: NOR lap 43 1:22.167, VER lap 43 1:23.081: VER is 0.914 s slower. */
export function summaryOf(head, { a, b, delta_ms: delta }) {
  const [nameA, nameB] = [a, b].map((side) => nameOf(head, side.car));
  const difference = delta.at(-1);
  return `${nameA} lap ${a.lap} ${lapTime(a.lap_time_ms)}, ${nameB} lap ${b.lap} ${lapTime(b.lap_time_ms)}: ${difference > 0 ? nameB : nameA} is ${(Math.abs(difference) / 1000).toFixed(3)} s slower`;
}

/** A model for `Chart` of the API's answer. A highlight is `{i, from}`: a point of the axis, and when car a was there. */
export function comparisonModel(view, answer) {
  const { head } = view.snapshot;
  const colors = themeColors();
  const [rawA, rawB] = [answer.a, answer.b].map((side) => colors.line(teamColor(head.cars.find((car) => car.driver_number === side.car)?.team_color)));
  const sides = [
    { data: answer.a, name: nameOf(head, answer.a.car), color: rawA, dash: false },
    { data: answer.b, name: nameOf(head, answer.b.car), color: rawA === rawB ? colors.get("--text") : rawB, dash: true }, // team mates
  ];
  const metres = answer.distance_m;
  const began = view.history.laps(view.horizon).get(answer.a.car)?.find((lap) => lap.lap === answer.a.lap);
  const start = began?.ms ? began.end - began.ms : null;
  const at = (i) => ({ i, from: start === null ? null : start + answer.a.time_ms[i] });
  const model = {
    answer, sides, metres, start, corners: cornersOf(head, metres.at(-1)), map: new MiniMap(head),
    label: summaryOf(head, answer),
    x: { from: 0, to: metres.at(-1), format: (m) => (m % 1000 ? (m / 1000).toFixed(1) : `${m / 1000}`), name: "km" },
    y: { from: 0, to: 1 },
    series: sides.map(({ data, name }) => ({ name, number: data.car, lap: data.lap, x: metres, y: data.speed })),
    cursorAt: ({ t }) => distanceAt(t - start, answer.a.time_ms, metres, start),
    pointAt: (plot, px) => at(nearest(metres, plot.x.invert(px))),
    move: (highlight, way, cursor) => at(Math.max(0, Math.min(metres.length - 1, highlight ? highlight.i + way * STEPS : nearest(metres, cursor ?? 0)))),
    pointsAt: ({ i }) => sides.map(({ data, color }) => ({ x: data.x[i], y: data.y[i], color })),
    paint: (plot) => paint(plot, model),
    paintOver: (plot, highlight) => paintOver(plot, model, highlight),
    tipOf: ({ i }, plot) => tipOf(model, i, plot),
  };
  return model;
}

function nameOf(head, number) {
  return head.cars.find((car) => car.driver_number === number)?.tla ?? number;
}

/** Where car a was `since` ms after its start; null outside of its lap. */
function distanceAt(since, times, metres, start) {
  if (start === null || since < 0 || since > times.at(-1)) return null;
  return metres[Math.max(0, times.findLastIndex((time) => time <= since))];
}

function nearest(metres, wanted) {
  return Math.max(0, Math.min(metres.length - 1, Math.round((wanted / metres.at(-1)) * (metres.length - 1))));
}

/** Corners as `{name, at}`, in metres of an axis that is `length` long. */
function cornersOf(head, length) {
  if (!head.outline || !head.corners?.length) return [];
  const track = new Track(head.outline);
  return head.corners.map(([name, x, y]) => ({ name, at: (track.project(x, y).along / track.length) * length })).sort((a, b) => a.at - b.at);
}

/** The common plot, and one for each row; the map's box. */
function layout(plot, model) {
  const size = { width: plot.end + plot.right, height: plot.bottom + 22 };
  const wide = size.width >= WIDE_PX;
  const mapped = model.map.exists;
  const map = !mapped ? null : wide ? { left: size.width - MAP_PX.wide - 4, top: 4, width: MAP_PX.wide, height: MAP_PX.wide } : { left: LEFT_PX, top: 0, width: size.width - LEFT_PX - 10, height: MAP_PX.narrow };
  const right = map && wide ? MAP_PX.wide + 18 : 12;
  const begin = (map && !wide ? MAP_PX.narrow + 4 : 0) + CORNERS_PX;
  const room = size.height - begin - 22 - GAP_PX * (ROWS.length - 1);
  const ranges = rangesOf(model);
  let top = begin;
  const rows = ROWS.map(([name, title, share]) => {
    const y = { ...ranges[name], title };
    const row = new Plot(plot.context, size, { x: model.x, y }, right, { left: LEFT_PX, top, height: room * share });
    top += room * share + GAP_PX;
    return Object.assign(row, { name, title });
  });
  return { rows, map };
}

function rangesOf({ answer, sides }) {
  const delta = answer.delta_ms.map((ms) => ms / 1000);
  const speeds = sides.flatMap(({ data }) => data.speed);
  const [low, high] = [Math.min(-LEAST_DELTA, ...delta), Math.max(LEAST_DELTA, ...delta)];
  const spare = (high - low) * 0.08;
  return {
    delta: { from: low - spare, to: high + spare, ticks: niceTicks(low - spare, high + spare, 3), format: (s) => (s ? `${s > 0 ? "+" : "−"}${Math.abs(s)}` : "0") },
    speed: { from: Math.max(0, Math.min(...speeds) - 15), to: Math.max(...speeds) + 10 },
    throttle: { from: -5, to: 105, ticks: [0, 50, 100] },
    brake: { from: -0.15, to: 1.15, ticks: [] },
    gear: { from: 0, to: 8.6, ticks: [2, 4, 6, 8] },
  };
}

function paint(plot, model) {
  const { rows, map } = layout(plot, model);
  [model.rows, model.box] = [rows, map];
  // The pointer and the cursor measure with the rows' scale.
  Object.assign(plot, { left: rows[0].left, width: rows[0].width, x: rows[0].x, top: rows[0].top, bottom: rows.at(-1).bottom, height: rows.at(-1).bottom - rows[0].top });
  paintCorners(plot, model);
  for (const row of rows) {
    if (row !== rows.at(-1)) row.xTicks = [];
    row.model.x = row === rows.at(-1) ? model.x : { ...model.x, name: "" };
    row.paintAxes();
    const title = row === rows[0] ? { x: row.left - 8, align: "right" } : { x: row.left + 4, align: "left" }; // the corners are above the first
    row.text(row.title, title.x, row.top - 8, { size: 10.5, weight: 600, align: title.align });
    row.within(() => (row.name === "delta" ? paintDelta(row, model) : paintSides(row, model)));
  }
  if (!map) return;
  model.map.paint(plot, map);
  if (map.width === MAP_PX.wide) paintLegend(plot, model, map);
}

/** Both laps below the map, with their lines as in the rows. */
function paintLegend(plot, { sides }, map) {
  sides.forEach(({ data, name, color, dash }, i) => {
    const y = map.top + map.height + 22 + i * 22;
    plot.context.beginPath();
    plot.context.moveTo(map.left + 18, y);
    plot.context.lineTo(map.left + 42, y);
    plot.stroke(color, 2.5, dash ? [5, 3] : []);
    plot.text(name.slice(0, 5), map.left + 52, y, { color: "--text", size: 12, weight: 700 });
    plot.text(`lap ${data.lap}`, map.left + 88, y, { size: 12 });
    plot.text(lapTime(data.lap_time_ms), map.left + map.width - 4, y, { color: "--text", size: 12, weight: 600, align: "right" });
  });
}

function paintCorners(plot, { corners }) {
  let last = -Infinity;
  for (const { name, at } of corners) {
    const px = Math.round(plot.x(at));
    plot.context.fillStyle = plot.colors.get("--line");
    plot.context.fillRect(px, plot.top, 1, plot.height);
    plot.font(10, 600);
    const half = plot.context.measureText(name).width / 2;
    if (px - half < last) continue;
    last = px + half + CORNER_GAP_PX;
    plot.text(name, px, plot.top - 8, { align: "center", size: 10, weight: 600, halo: true });
  }
}

/** The difference of times, filled towards the car that is ahead there. */
function paintDelta(row, { metres, answer, sides }) {
  const points = metres.map((m, i) => [m, answer.delta_ms[i] / 1000]);
  const { context } = row;
  const zero = row.y(0);
  for (const [side, top, bottom] of [[sides[0], row.top - 4, zero], [sides[1], zero, row.bottom]]) {
    context.save();
    context.beginPath();
    context.rect(row.left, top, row.width, Math.max(0, bottom - top));
    context.clip();
    row.path([[0, 0], ...points, [metres.at(-1), 0]]);
    context.closePath();
    context.globalAlpha = 0.28;
    context.fillStyle = side.color;
    context.fill();
    context.restore();
  }
  row.rule(row.left, Math.round(zero), row.end, row.colors.get("--line-strong"));
  row.path(points);
  row.stroke(row.colors.get("--text"), 1.5);
}

/** A channel of both cars; gears and brakes are steps. */
function paintSides(row, { metres, sides }) {
  const steps = row.name === "gear" || row.name === "brake";
  for (const { data, color, dash } of [...sides].reverse()) {
    const points = metres.map((m, i) => [m, Number(data[row.name][i])]);
    row.path(steps ? points.flatMap(([m, value], i) => (i ? [[m, points[i - 1][1]], [m, value]] : [[m, value]])) : points);
    row.stroke(color, 1.5, dash ? [4, 2.5] : []);
  }
}

function paintOver(plot, model, { i }) {
  plot.paintHighlight(model.metres[i]);
  for (const row of model.rows) {
    if (row.name === "delta") plot.dot(row.x(model.metres[i]), row.y(model.answer.delta_ms[i] / 1000), 3.5, plot.colors.get("--text"));
    else for (const { data, color } of model.sides) plot.dot(row.x(model.metres[i]), row.y(Number(data[row.name][i])), 3.5, color);
  }
  if (model.box) model.map.paintCars(plot, model.box, model.pointsAt({ i }));
}

function tipOf(model, i, plot) {
  const [at, delta] = [model.metres[i], model.answer.delta_ms[i]];
  const corner = model.corners.find((each) => Math.abs(each.at - at) < 60);
  const rows = model.sides.map(({ data, name, color, dash }) => ({
    color, dash, name, text: `${Math.round(data.speed[i])} km/h, gear ${data.gear[i]}, ${data.brake[i] ? "braking" : `throttle ${data.throttle[i]} %`}`,
  }));
  rows.push({ color: null, name: model.sides[1].name, text: `${delta < 0 ? "−" : "+"}${(Math.abs(delta) / 1000).toFixed(3)} s` });
  return { title: `${Math.round(at)} m${corner ? ` · turn ${corner.name}` : ""}`, rows, x: plot.x(at), y: plot.top + plot.height * 0.3 };
}
