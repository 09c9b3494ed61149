// Stints by car, coloured by compound; hatched where the set was used before.

import { compoundOf } from "../page/flags-and-compounds.js";
import { contrast, themeColors } from "./colors.js";
import { carsOf, lapModel } from "./lap-axis.js";
import { bandInputs } from "./trace.js";

const HATCH_PX = 6;
const INK = ["#10151d", "#ffffff"]; // of the text on a bar: the one with more contrast

export const strategy = {
  name: "strategy",
  empty: "No tyre data yet",
  inputs: (view) => [...bandInputs(view), carsOf(view).map((car) => [car.number, JSON.stringify(view.snapshot.cars[car.number]?.stints ?? [])])],
  make,
};

function make(view) {
  const order = carsOf(view);
  const bars = order.flatMap((car, row) =>
    (view.snapshot.cars[car.number]?.stints ?? []).filter((stint) => stint.laps > 0).map((stint) => ({
      ...car, row, stint, y: [car.name], x: [stint.laps], base: [stint.first_lap - 1],
      used: stint.fresh === false || stint.tyre_life_before > 0,
    })),
  );
  if (!bars.length) return null;
  const driven = Math.max(...bars.map((bar) => bar.base[0] + bar.x[0]));
  const base = lapModel(view, { first: 1, driven });
  const model = {
    ...base, series: bars, label: "Tyres by stint", right: 12,
    x: { from: 0, to: Math.max(driven, view.snapshot.race.total_laps ?? driven + 1), name: "Lap", whole: true },
    y: { from: order.length, to: 0, ticks: order.map((_, row) => row + 0.5), format: (row) => order[row - 0.5].name.slice(0, 5), grid: false, size: 10.5 },
    paint: (plot) => paint(plot, model),
    paintOver: (plot, highlight) => paintOver(plot, base.placeOf(highlight), order.findIndex((car) => car.number === highlight.driver)),
    pointAt: (plot, px, py) => {
      const row = Math.max(0, Math.min(order.length - 1, Math.floor(plot.y.invert(py))));
      return base.highlightOf(Math.max(1, Math.min(driven, Math.floor(plot.x.invert(px)) + 1)), order[row].number);
    },
    step: (highlight, way) => {
      const row = Math.max(0, Math.min(order.length - 1, order.findIndex((car) => car.number === highlight.driver) + way));
      return base.highlightOf(highlight.lap, order[row].number);
    },
    tipOf: (highlight, plot) => tipOf(model, order, highlight, plot),
  };
  return model;
}

function paint(plot, model) {
  plot.paintBands(model.bands);
  plot.paintAxes();
  const row = plot.y(1) - plot.y(0);
  const thick = Math.min(18, row * 0.74);
  for (const bar of model.series) {
    const [from, to] = [plot.x(bar.base[0]), plot.x(bar.base[0] + bar.x[0])];
    paintBar(plot, bar, { x: from + 1, y: plot.y(bar.row + 0.5) - thick / 2, width: Math.max(1, to - from - 2), height: thick });
  }
}

function paintBar(plot, bar, { x, y, width, height }) {
  const { context } = plot;
  const color = plot.colors.get(compoundOf(bar.stint.compound).color);
  context.save();
  context.globalAlpha = bar.highlighted ? 1 : 0.28;
  context.beginPath();
  context.roundRect(x, y, width, height, Math.min(3, width / 2));
  context.fillStyle = color;
  context.fill();
  if (bar.used) {
    context.clip();
    context.beginPath();
    for (let at = x - height; at < x + width; at += HATCH_PX) {
      context.moveTo(at, y + height);
      context.lineTo(at + height, y);
    }
    Object.assign(context, { strokeStyle: plot.colors.get("--panel"), lineWidth: 1.4, globalAlpha: bar.highlighted ? 0.5 : 0.2 });
    context.stroke();
  }
  context.restore();
  if (height < 9) return;
  const letter = compoundOf(bar.stint.compound).letter;
  const words = [`${letter} ${bar.x[0]}`, letter].find((each) => each.length * 6.5 + 6 < width);
  if (!words) return;
  const ink = bar.highlighted ? (contrast(INK[0], color) > contrast(INK[1], color) ? INK[0] : INK[1]) : themeColors().get("--muted");
  if (bar.used && bar.highlighted) plate(plot, x + width / 2, y, words.length * 6 + 5, height, color);
  plot.text(words, x + width / 2, y + height / 2 + 0.5, { color: ink, align: "center", size: Math.min(10.5, height - 1), weight: 600 });
}

/** Ground for the text on a hatched bar. */
function plate({ context }, x, y, width, height, color) {
  context.fillStyle = color;
  context.fillRect(x - width / 2, y, width, height);
}

function paintOver(plot, lap, row) {
  if (lap === null) return;
  plot.paintHighlight(lap - 1, lap);
  if (row < 0) return;
  const { context } = plot;
  context.fillStyle = plot.colors.get("--text");
  context.globalAlpha = 0.08;
  context.fillRect(plot.left, plot.y(row), plot.width, plot.y(row + 1) - plot.y(row));
  context.globalAlpha = 1;
}

function tipOf(model, order, highlight, plot) {
  const lap = model.placeOf(highlight);
  if (lap === null) return null;
  const row = order.findIndex((car) => car.number === highlight.driver);
  const stints = model.series.filter((bar) => bar.number === highlight.driver && bar.base[0] < lap && lap <= bar.base[0] + bar.x[0]);
  const car = order[row];
  const rows = stints.map((bar) => ({ color: plot.colors.get(compoundOf(bar.stint.compound).color), name: car.name, text: describe(bar) }));
  if (!rows.length && car) rows.push({ color: null, name: car.name, text: "no tyres known" });
  return { title: model.titleOf(highlight), rows, x: plot.x(lap), y: row < 0 ? plot.top : plot.y(row + 0.5) };
}

function describe({ stint, used }) {
  const before = stint.tyre_life_before ? `, ${stint.tyre_life_before} before` : used ? ", used" : "";
  return `${stint.compound.toLowerCase()}, ${stint.laps} laps from lap ${stint.first_lap}${before}`;
}
