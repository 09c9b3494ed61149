// Charts of lines over laps: how they are painted, and what is under the pointer.

import { column } from "./names.js";

const NEAR_PX = 44; // a line further from the pointer is not meant
const RUNNING_LAPS = 4; // a line that ends further before the last lap is a car that stopped; its name stands there
const ASIDE_PX = [0, -12, 12, -24, 24]; // places of such a name, from its line: the first that is free
const DASH = [5, 3];
const TIP_ROWS = 5;

/**
 * A model for `LapChart`. `base` is that of `lapModel`; `y` the vertical axis; `series` are the lines: `{number, name, color, ink,
 * dash, highlighted, x, y}` with arrays x and y, and optionally `markers` (`{color, shape}` for each point), `laps` (the lap of each point, over session time) and `named` (the point with the name). `textOf(line, i)` is
 * what the tooltip says of a point; values above `cut` interrupt their line.
 */
export function lineModel({ base, y, series, label, note = "", cut = null, textOf }) {
  const right = 14 + 8 * Math.max(3, ...series.map((each) => Math.min(5, each.name.length)));
  const model = {
    ...base, y, series, label, note, cut, right, names: [],
    paint: (plot) => paint(plot, model),
    paintOver: (plot, highlight) => paintOver(plot, model, highlight),
    pointAt: (plot, px, py) => pointAt(plot, model, px, py),
    step: (highlight, way) => stepDriver(model, highlight, way),
    tipOf: (highlight, plot) => tipOf(model, highlight, plot, textOf),
  };
  return model;
}

function paint(plot, model) {
  plot.paintBands(model.bands);
  plot.paintAxes();
  const behind = [...model.series].reverse().sort((a, b) => a.highlighted - b.highlighted);
  plot.within(() => {
    for (const line of behind) {
      plot.path(pointsOf(line, model));
      plot.stroke(line.color, line.highlighted ? 1.8 : 1.2, line.dash ? DASH : [], line.highlighted ? 1 : 0.22);
      if (line.x.length === 1 && !line.markers) plot.dot(plot.x(line.x[0]), plot.y(line.y[0]), 3, line.color);
      line.markers?.forEach((marker, i) => paintMarker(plot, line, marker, i));
    }
  });
  paintNames(plot, model);
}

/** Points of a line. A lap that is missing leaves a gap; so does one beyond the scale, if the model says `cut`. */
function pointsOf({ x, y, laps = x }, { cut }) {
  return x.flatMap((each, i) => {
    if (cut && y[i] > cut) return [null];
    return i && laps[i] - laps[i - 1] > 1 ? [null, [each, y[i]]] : [[each, y[i]]];
  });
}

function paintMarker(plot, line, { color, shape }, i) {
  const [px, py] = [plot.x(line.x[i]), plot.y(line.y[i])];
  const { context } = plot;
  if (shape !== "diamond") return plot.dot(px, py, 3, color, line.color, 1.2);
  context.beginPath();
  for (const [dx, dy] of [[0, -4.5], [4.5, 0], [0, 4.5], [-4.5, 0]]) context.lineTo(px + dx, py + dy);
  context.closePath();
  context.fillStyle = color;
  context.fill();
  plot.stroke(line.color, 1.2);
}

/** Names of cars that go on in a column behind the last lap; of others at the end of their line. */
function paintNames(plot, model) {
  model.names = [];
  const last = Math.max(...model.series.map((line) => line.x.at(-1)));
  const ends = model.series.map((line, rank) => {
    const i = line.named ?? line.x.length - 1;
    return { line, x: plot.x(line.x[i]), y: plot.y(line.y[i]), rank: rank + (line.highlighted ? 0 : 100), goesOn: line.named === undefined && last - line.x[i] < RUNNING_LAPS };
  });
  const running = ends.filter((end) => end.goesOn);
  const stand = Math.min(plot.end, plot.x(last)) + 9;
  for (const { item, y } of column(running, plot.top + 2, plot.bottom - 4)) {
    const end = Math.max(plot.top, Math.min(plot.bottom, item.y));
    plot.context.beginPath();
    plot.context.moveTo(item.x + 2, end);
    plot.context.lineTo(stand - 2, y);
    plot.stroke(item.line.color, 1, [], item.line.highlighted ? 0.5 : 0.15);
    write(plot, model, item.line, stand, y);
  }
  for (const { line, x, y, goesOn } of ends) {
    if (goesOn || y > plot.bottom + 1 || y < plot.top - 1) continue;
    const free = (at) => model.names.every((other) => Math.abs(other.y - at) > 11 || Math.abs(other.x - x - 5) > 30);
    const at = ASIDE_PX.map((aside) => Math.max(plot.top + 6, Math.min(plot.bottom - 7, y + aside))).find(free);
    if (at !== undefined) write(plot, model, line, x + 5, at, true);
  }
}

function write(plot, model, line, x, y, halo = false) {
  const shown = line.name.length > 6 ? `${line.name.slice(0, 5)}…` : line.name;
  const color = line.highlighted ? line.ink : plot.colors.get("--muted");
  plot.text(shown, x, y, { color, size: 10.5, weight: line.highlighted ? 700 : 500, halo });
  model.names.push({ name: line.name, x: Math.round(x), y: Math.round(y), color });
}

function paintOver(plot, model, highlight) {
  const place = highlight && model.placeOf(highlight);
  if (place === null) return;
  plot.paintHighlight(...[place].flat());
  plot.within(() => {
    for (const line of model.series) {
      const i = indexOf(line, highlight);
      const focused = line.number === highlight.driver;
      if (focused) {
        plot.path(pointsOf(line, model));
        plot.stroke(plot.colors.get("--panel"), 6, [], 0.8);
        plot.path(pointsOf(line, model));
        plot.stroke(line.color, 3, line.dash ? DASH : []);
      }
      if (i >= 0 && (focused || (line.highlighted && !line.markers))) plot.dot(plot.x(line.x[i]), plot.y(line.y[i]), focused ? 5 : 2.5, line.color);
    }
  });
}

/** Where a line has the highlighted lap, or -1. Lines over session time have `laps`, which only their own car counts. */
function indexOf(line, { lap, driver }) {
  if (!line.laps) return line.x.indexOf(lap);
  return line.number === driver ? line.laps.indexOf(lap) : -1;
}

/** The lap and the line nearest to pixels `px`, `py`. */
function pointAt(plot, model, px, py) {
  const wanted = Math.max(model.first, Math.min(model.driven, Math.round(plot.x.invert(px))));
  let best = null;
  for (const line of model.series) {
    const near = line.laps ? line.x.map((_, i) => i) : [line.x.indexOf(wanted)].filter((i) => i >= 0);
    for (const i of near) {
      const away = Math.hypot(line.laps ? plot.x(line.x[i]) - px : 0, plot.y(line.y[i]) - py);
      if (away < NEAR_PX && (!best || away < best.away)) best = { away, lap: line.laps?.[i] ?? wanted, number: line.number };
    }
  }
  if (!best && model.series[0]?.laps) return null;
  return model.highlightOf(best?.lap ?? wanted, best?.number ?? null);
}

/** The driver above (-1) or below (1) the highlighted one on the same lap. */
function stepDriver(model, highlight, way) {
  const onLap = model.series.filter((line) => line.laps?.includes(highlight.lap) ?? line.x.includes(highlight.lap));
  const height = (line) => line.y[(line.laps ?? line.x).indexOf(highlight.lap)] * Math.sign(model.y.from - model.y.to);
  onLap.sort((a, b) => height(a) - height(b));
  const i = onLap.findIndex((line) => line.number === highlight.driver);
  const next = i < 0 ? (way > 0 ? 0 : onLap.length - 1) : Math.max(0, Math.min(onLap.length - 1, i + way));
  return model.highlightOf(highlight.lap, onLap[next]?.number ?? null);
}

/** What the tooltip says of a highlight, and where: beside the line under the pointer. */
function tipOf(model, highlight, plot, textOf) {
  const place = model.placeOf(highlight);
  if (place === null) return null;
  const at = model.series.map((line) => ({ line, i: indexOf(line, highlight) })).filter(({ i }) => i >= 0);
  const focused = at.filter(({ line }) => line.number === highlight.driver);
  const others = at.filter(({ line }) => line.highlighted && line.number !== highlight.driver);
  const rows = [...focused, ...(others.length <= TIP_ROWS ? others : [])];
  const [first] = rows;
  return {
    title: model.titleOf(highlight),
    rows: rows.map(({ line, i }) => ({ color: line.color, dash: line.dash, name: line.name, text: textOf(line, i) })),
    x: first ? plot.x(first.line.x[first.i]) : plot.x([place].flat().at(-1)), y: first ? plot.y(first.line.y[first.i]) : plot.top + plot.height / 2,
  };
}
