// Temperatures, wind and humidity over session time, shaded where it rains.

import { clock } from "../page/format.js";
import { isTimedSession } from "../session/snapshot.js";
import { themeColors } from "./colors.js";
import { LapAxis } from "./lap-axis.js";
import { minuteTicks, niceTicks } from "./scale.js";

const MINUTE = 60000; // ms, between two readings
const NARROW_PX = 380; // a chart less wide has a short legend
const LINES = [
  { name: "Track", key: "track_temp", color: "--red", unit: "°C", digits: 1 },
  { name: "Air", key: "air_temp", color: "--stale", unit: "°C", digits: 1 },
  { name: "Wind", key: "wind_speed", color: "--muted", unit: "m/s", digits: 1, dash: [2, 3] },
  { name: "Humidity", key: "humidity", color: "--wet", unit: "%", digits: 0, dash: [6, 3], right: true },
];

export const weather = {
  name: "weather",
  empty: "No weather data yet",
  inputs: (view) => {
    const samples = view.history.messages(view.horizon, "weather");
    return [samples.length, samples.at(-1)];
  },
  make,
};

function make(view) {
  const samples = view.history.messages(view.horizon, "weather");
  if (samples.length < 2) return null;
  const colors = themeColors();
  const x = samples.map((each) => each.session_time_ms);
  const [from, to] = [x[0], x.at(-1) + MINUTE]; // readings come once a minute: until then there is room for the cursor
  const series = LINES.map((line) => ({ ...line, x, y: samples.map((each) => each[line.key] ?? null), ink: colors.get(line.color) })).filter(({ y }) => y.some((value) => value !== null));
  const left = series.filter((line) => !line.right).flatMap(({ y }) => y).filter((value) => value !== null);
  const top = Math.max(10, ...left);
  const ticks = niceTicks(Math.min(0, ...left), top * 1.05, 5);
  const wet = samples.flatMap((each, i) => (each.rainfall ? [{ from: x[i], to: x[i + 1] ?? to, color: "--wet" }] : []));
  const model = {
    series, label: `Temperatures, wind and humidity; ${wet.length ? "blue where it rains" : "no rain"}`, bands: wet, right: 34,
    x: { from, to, ticks: (count) => minuteTicks(from, to, count), format: (t) => clock(t).slice(0, -3) },
    y: { from: Math.min(0, ticks[0]), to: Math.max(top * 1.08, ticks.at(-1)), ticks, name: "°C" },
    y2: { from: 0, to: 100, name: "%" },
    cursorAt: ({ t }) => (t >= from ? Math.min(t, to) : null),
    paint: (plot) => paint(plot, model),
    paintOver: (plot, highlight) => paintOver(plot, model, highlight),
    pointAt: (plot, px) => highlightAt(view, Math.max(from, Math.min(to, plot.x.invert(px)))),
    move: (highlight, way, cursor) => highlightAt(view, Math.max(from, Math.min(to, highlight?.from == null ? (cursor ?? to) : highlight.from + way * MINUTE))),
    tipOf: (highlight, plot) => tipOf(model, highlight, plot),
  };
  return model;
}

/** The minute at a session time, with the leader's lap then. */
function highlightAt(view, t) {
  const from = Math.floor(t / MINUTE) * MINUTE;
  const lap = isTimedSession(view.snapshot.race) ? null : new LapAxis(view).starts.findLast((start) => start.at <= from)?.lap ?? null;
  return { lap, from, to: from + MINUTE, driver: null };
}

function paint(plot, model) {
  plot.paintBands(model.bands, 0.2);
  plot.paintAxes();
  plot.within(() => {
    for (const line of model.series) {
      plot.path(line.x.map((t, i) => [t, line.y[i]]), line.right ? plot.y2 : plot.y);
      plot.stroke(line.ink, line.dash ? 1.4 : 1.8, line.dash ?? []);
    }
  });
  paintLegend(plot, model);
}

/** Line samples with their names above the chart. */
function paintLegend(plot, model) {
  const narrow = plot.width < NARROW_PX;
  const [sample, space] = narrow ? [9, 8] : [14, 14];
  let at = plot.left;
  const named = model.series.map(({ name, unit, ink, dash }) => ({ text: unit === "m/s" && !narrow ? `${name} m/s` : name, ink, dash }));
  const entries = [...named, ...(model.bands.length ? [{ text: "Rain", band: true }] : [])];
  for (const { text, ink, dash, band } of entries) {
    const { context } = plot;
    if (band) {
      context.globalAlpha = 0.35;
      context.fillStyle = plot.colors.get("--wet");
      context.fillRect(at, 3, sample, 9);
      context.globalAlpha = 1;
    } else {
      context.beginPath();
      context.moveTo(at, 8);
      context.lineTo(at + sample, 8);
      plot.stroke(ink, 2, dash ?? []);
    }
    plot.text(text, at + sample + 5, 8);
    at += sample + 5 + context.measureText(text).width + space;
  }
}

function paintOver(plot, model, { from, to }) {
  if (from === null || from > model.x.to) return;
  plot.paintHighlight(from, to ?? from);
  const i = indexAt(model, from);
  for (const line of model.series) if (line.y[i] !== null) plot.dot(plot.x(line.x[i]), (line.right ? plot.y2 : plot.y)(line.y[i]), 3.5, line.ink);
}

/** The last sample at a session time. */
function indexAt(model, t) {
  return Math.max(0, model.series[0].x.findLastIndex((each) => each <= t + MINUTE / 2));
}

function tipOf(model, { lap, from }, plot) {
  if (from === null) return null;
  const i = indexAt(model, from);
  const rows = model.series.filter(({ y }) => y[i] !== null).map(({ name, y, unit, digits, ink, dash }) => ({ color: ink, dash, name, text: `${y[i].toFixed(digits)} ${unit}` }));
  const rain = model.bands.some((band) => band.from <= from + MINUTE / 2 && from + MINUTE / 2 < band.to);
  return { title: [clock(from), lap && `lap ${lap}`, rain && "rain"].filter(Boolean).join(" · "), rows, x: plot.x(from), y: plot.top + plot.height / 2 };
}
