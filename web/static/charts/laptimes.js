// Lap times of the selected cars, else of the first ones, with tyres; a diamond is a lap out of or into the pit lane.
// In practice and qualifying, where each car counts its own laps, they stand over the session's time.

import { compoundOf } from "../page/flags-and-compounds.js";
import { clock, lapTime } from "../page/format.js";
import { isTimedSession, shownLaps } from "../session/snapshot.js";
import { themeColors } from "./colors.js";
import { carsOf, flagBands, lapInputs, lapModel } from "./lap-axis.js";
import { lineModel } from "./line-model.js";
import { minuteTicks } from "./scale.js";
import { bandInputs } from "./trace.js";

const SLOW = 1.14; // times the fastest lap; slower laps do not extend the scale
const TENTHS_S = 5; // a shorter axis has labels with tenths
const SHOWN = 5; // number of cars shown while no driver is selected

export const laptimes = {
  name: "laptimes",
  empty: "Starts with the first lap time",
  note: "laptimes-note",
  inputs: (view) => [...lapInputs(view), ...bandInputs(view), carsOf(view).slice(0, 2 * SHOWN).map((car) => car.number)],
  make,
};

function make(view) {
  const laps = view.history.laps(view.horizon);
  const times = [...laps.values()].flat().flatMap((lap) => (lap.ms && !lap.deleted && !lap.made ? [lap.ms] : []));
  if (!times.length) return null;
  const timed = isTimedSession(view.snapshot.race);
  const fastest = Math.min(...times) / 1000;
  const lapsOf = (car) => shownLaps(laps.get(car.number) ?? [], view.snapshot.race);
  const chosen = carsOf(view).filter((car) => lapsOf(car).length);
  const wanted = view.selection.numbers.length ? chosen.filter((car) => view.selection.has(car.number)) : chosen.slice(0, SHOWN);
  if (!wanted.length) return null;
  const colors = themeColors();
  const series = wanted.map((car) => {
    const own = lapsOf(car);
    const x = own.map((lap) => (timed ? lap.end : lap.lap));
    return {
      ...car, own, x, y: own.map((lap) => lap.ms / 1000), ...(timed && overOwnLaps(own)),
      markers: own.map((lap) => ({ color: colors.get(compoundOf(lap.tyre).color), shape: lap.in || lap.out ? "diamond" : "circle" })),
    };
  });
  const drawn = series.flatMap((line) => line.y).sort((a, b) => a - b);
  const limit = Math.max(fastest * SLOW, drawn[drawn.length >> 1]);
  const top = Math.max(fastest * 1.02, ...drawn.filter((seconds) => seconds <= limit));
  return lineModel({
    base: timed ? overTime(view, series) : overLaps(view, series), series,
    y: { from: fastest - (top - fastest) * 0.06, to: top + (top - fastest) * 0.06, format: axisTime(top - fastest) },
    label: `Lap times of ${wanted.map((car) => car.name).join(", ")}`,
    note: view.selection.numbers.length ? "" : `the first ${wanted.length} cars; select drivers to see others`,
    cut: top + (top - fastest) * 0.06,
    textOf: ({ own }, i) => describe(own[i]),
  });
}

/** In a timed session: the laps' numbers, and the best one, which has the name. */
function overOwnLaps(own) {
  const best = own.reduce((least, lap, i) => (lap.deleted || lap.ms >= own[least].ms ? least : i), 0);
  return { laps: own.map((lap) => lap.lap), named: best };
}

function overLaps(view, series) {
  return lapModel(view, { first: Math.min(...series.map((line) => line.x[0])), driven: Math.max(...series.map((line) => line.x.at(-1))) });
}

/** The base of a model over session time. A highlight is a lap of one car. */
function overTime(view, series) {
  const [from, to] = [Math.min(...series.map(({ own }) => own[0].end)), Math.max(...series.map((line) => line.x.at(-1)))];
  const base = lapModel(view, { first: 1, driven: Math.max(...series.map((line) => line.laps.at(-1))) });
  const edge = Math.max(60000, (to - from) * 0.03);
  return {
    ...base, bands: flagBands(view, (t) => t),
    x: { from: from - edge, to: Math.max(to, Math.min(view.t, view.horizon)) + edge, ticks: (count) => minuteTicks(from - edge, to + edge, count), format: (t) => clock(t).slice(0, -3) },
    cursorAt: ({ t }) => t,
    placeOf: ({ from: begin, to: end }) => (begin === null || end === null ? null : [begin, end]),
    move: (highlight, way) => {
      const line = series.find((each) => each.number === highlight?.driver) ?? series[0];
      const i = line.laps.indexOf(highlight?.lap);
      const next = i < 0 ? line.laps.length - 1 : Math.max(0, Math.min(line.laps.length - 1, i + way));
      return base.highlightOf(line.laps[next], line.number);
    },
  };
}

/** Seconds as 1:22; with tenths on an axis of a few seconds. */
function axisTime(span) {
  const digits = span < TENTHS_S ? 1 : 0;
  return (seconds) => {
    const rounded = Number(seconds.toFixed(digits));
    const minutes = Math.floor(rounded / 60);
    const rest = (rounded - minutes * 60).toFixed(digits);
    return minutes ? `${minutes}:${rest.padStart(digits ? 4 : 2, "0")}` : rest;
  };
}

function describe(lap) {
  const tyre = lap.tyre ? `${lap.tyre.toLowerCase()}${lap.life == null ? "" : ` ${lap.life}`}` : "";
  return [lapTime(lap.ms), tyre, lap.out && "out lap", lap.in && "in lap", lap.deleted && "deleted"].filter(Boolean).join(", ");
}
