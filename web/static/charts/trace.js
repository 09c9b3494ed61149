// Race trace: each car's gap to the leader by lap.

import { carsOf, flagBands, flagInputs, LapAxis, lapEnds, lapInputs, lapModel } from "./lap-axis.js";
import { lineModel } from "./line-model.js";

const FAR = 1.5; // times the gap that 19 of 20 points are within: what is further does not extend the scale
const LEAST_S = 5; // seconds that the scale has at least

export const trace = {
  name: "trace",
  empty: "Starts after the first lap",
  inputs: (view) => [...lapInputs(view), ...bandInputs(view)],
  make,
};

/** Flags as inputs for `Changes`. */
export function bandInputs(view) {
  const axis = new LapAxis(view);
  return flagInputs(flagBands(view, (t) => axis.at(t)));
}

function make(view) {
  const laps = view.history.laps(view.horizon);
  const ends = lapEnds(laps);
  if (!ends.size) return null;
  const series = carsOf(view).flatMap((car) => {
    const own = (laps.get(car.number) ?? []).filter((lap) => !lap.made && ends.has(lap.lap));
    return own.length ? [{ ...car, x: own.map((lap) => lap.lap), y: own.map((lap) => (lap.end - ends.get(lap.lap)) / 1000) }] : [];
  });
  const gaps = series.flatMap((line) => line.y).sort((a, b) => a - b);
  const limit = Math.max(LEAST_S, gaps[Math.floor(gaps.length * 0.95)] * FAR);
  const worst = Math.max(LEAST_S, Math.min(gaps.at(-1), limit));
  const base = lapModel(view, { first: Math.min(...ends.keys()), driven: Math.max(...ends.keys()) });
  return lineModel({
    base, series,
    y: { from: worst * 1.03, to: -worst * 0.01, format: (seconds) => (seconds ? `+${seconds}` : "0") },
    label: `Race trace over ${ends.size} laps`,
    textOf: (line, i) => (line.y[i] ? `+${line.y[i].toFixed(3)} s` : "leads"),
  });
}
