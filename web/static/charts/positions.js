// Each car's position by lap, from its place on the grid.

import { carsOf, lapInputs, lapModel } from "./lap-axis.js";
import { lineModel } from "./line-model.js";
import { bandInputs } from "./trace.js";

const ROW_PX = 11; // with less room between two positions only every second one is written

export const positions = {
  name: "positions",
  empty: "Starts after the first lap",
  inputs: (view) => [...lapInputs(view), ...bandInputs(view)],
  make,
};

function make(view) {
  const laps = view.history.laps(view.horizon);
  if (!laps.size) return null;
  const series = carsOf(view).flatMap((car) => {
    const own = (laps.get(car.number) ?? []).filter((lap) => lap.pos != null);
    const grid = car.entry.grid_position ? [{ lap: 0, pos: car.entry.grid_position }] : [];
    const all = [...grid, ...own];
    return all.length > 1 ? [{ ...car, x: all.map((lap) => lap.lap), y: all.map((lap) => lap.pos) }] : [];
  });
  if (!series.length) return null;
  const count = view.snapshot.head.cars.length;
  const ticks = (height) => Array.from({ length: count }, (_, i) => i + 1).filter((place) => height / count >= ROW_PX || place % 2);
  const base = lapModel(view, { first: Math.min(...series.map((line) => line.x[0])), driven: Math.max(...series.map((line) => line.x.at(-1))) });
  return lineModel({
    base, series,
    y: { from: count + 0.5, to: 0.5, ticks, grid: false, size: 10.5 },
    label: "Positions by lap",
    textOf: (line, i) => `P${line.y[i]}`,
  });
}
