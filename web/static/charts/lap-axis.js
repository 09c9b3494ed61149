// What the charts over laps have in common: the cars with their colours, the leader's laps as an axis, flags on it.

import { trackStatusOf } from "../page/flags-and-compounds.js";
import { clock, teamColor } from "../page/format.js";
import { isTimedSession, raceOrder } from "../session/snapshot.js";
import { themeColors } from "./colors.js";

const FEWEST_LAPS = 5; // the axis has at least this many laps, unless the race is shorter

/** Cars in race order: `{entry, name, number, color, ink, dash, highlighted}`; a team's second car is dashed. */
export function carsOf({ snapshot, selection }) {
  const colors = themeColors();
  const teams = new Set();
  const all = snapshot.head.cars.map((entry) => {
    const second = teams.has(entry.team);
    teams.add(entry.team);
    const color = teamColor(entry.team_color);
    const number = entry.driver_number;
    return { entry, name: entry.tla, number, color: colors.line(color), ink: colors.text(color), dash: second, highlighted: !selection.numbers.length || selection.has(number) };
  });
  return raceOrder(snapshot).map((i) => all[i]);
}

/** What the laps drawn depend on: their number, and the last one as it was received. */
export function lapInputs({ history, horizon }) {
  const laps = history.messages(horizon, "lap");
  return [laps.length, laps.at(-1)];
}

/** Session time (ms) at which the first car ended each lap. */
export function lapEnds(laps) {
  const ends = new Map();
  for (const own of laps.values()) for (const lap of own) if (!lap.made) ends.set(lap.lap, Math.min(ends.get(lap.lap) ?? Infinity, lap.end));
  return ends;
}

/** The leader's laps as an axis: 12.5 is the middle of lap 13. */
export class LapAxis {
  constructor({ history, horizon, snapshot, t }) {
    this.starts = history.lapStarts(horizon, snapshot.race.started_ms);
    this.until = Math.min(horizon, Math.max(t, history.entries.at(-1)?.t ?? t));
  }

  /** The place of a session time (ms). A lap that goes on is taken to be as long as the one before. */
  at(t) {
    const { starts } = this;
    if (!starts.length || t <= starts[0].at) return 0;
    const i = starts.findLastIndex((start) => start.at <= t);
    const length = starts[i + 1] ? starts[i + 1].at - starts[i].at : Math.max(this.until - starts[i].at, i ? starts[i].at - starts[i - 1].at : 90000);
    return starts[i].lap - 1 + Math.min(1, (t - starts[i].at) / Math.max(1, length));
  }

  /** Session time (ms) of the beginning and the end of the leader's lap `lap`; null as far as they are unknown. */
  span(lap) {
    const i = this.starts.findIndex((start) => start.lap === lap);
    return i < 0 ? { from: null, to: null } : { from: this.starts[i].at, to: this.starts[i + 1]?.at ?? this.until };
  }
}

/** Where the axis ends: with the lap after the last one driven, so that there is room for the cursor. */
export function lastTick(driven, { snapshot }) {
  const total = snapshot.race.total_laps ?? Infinity;
  return driven >= total ? driven : Math.min(total, Math.max(driven + 1, FEWEST_LAPS));
}

/** Periods of flags as `{from, to, color, sentence}`, placed by `at` (session ms to the axis). */
export function flagBands({ history, horizon, t }, at) {
  const until = Math.min(horizon, Math.max(t, history.entries.at(-1)?.t ?? t));
  return history.statuses(until).flatMap(({ status, from, to }) => {
    const meaning = trackStatusOf(status);
    const band = { from: at(from), to: at(to), color: meaning?.color, sentence: meaning?.sentence };
    return band.color && band.to > band.from ? [band] : [];
  });
}

/** The same for `Changes`: the end of a flag that is still out counts in tenths of a lap. */
export function flagInputs(bands) {
  return bands.flatMap(({ from, to, color }) => [from, Math.round(to * 10), color]);
}

/**
 * The part of a model that all charts over laps share: the axis, the cursor, flags, what a lap's highlight says and where
 * a click leads. In a timed session laps of one number are not driven together: there is no cursor, and a lap's time is
 * that of the car under the pointer.
 */
export function lapModel(view, { first, driven }) {
  const axis = new LapAxis(view);
  const timed = isTimedSession(view.snapshot.race);
  const bands = timed ? [] : flagBands(view, (t) => axis.at(t));
  const spanOf = (lap, driver) => {
    if (!timed) return axis.span(Math.max(1, lap));
    const own = view.history.laps(view.horizon).get(driver)?.find((each) => each.lap === lap);
    return { from: own ? (own.start ?? own.end - (own.ms ?? 0)) : null, to: own?.end ?? null };
  };
  return {
    first, driven, bands,
    x: { from: first, to: Math.max(first + 1, lastTick(driven, view)), name: "Lap", whole: true },
    cursorAt: ({ t, history, horizon, snapshot }) => (timed ? null : new LapAxis({ t, history, horizon, snapshot }).at(t)),
    highlightOf: (lap, driver) => ({ lap, driver, ...spanOf(lap, driver) }),
    placeOf: (highlight) => (highlight.lap === null || highlight.lap < first || highlight.lap > driven ? null : highlight.lap),
    titleOf: (highlight) => {
      const flag = bands.find((band) => band.from < highlight.lap && band.to > highlight.lap - 1);
      const time = highlight.from === null ? "" : ` · ${clock(highlight.from)}`;
      return `${highlight.lap ? `Lap ${highlight.lap}` : "Grid"}${time}${flag ? ` · ${flag.sentence}` : ""}`;
    },
    move: (highlight, way, cursor) => {
      const lap = highlight?.lap == null ? Math.round(cursor ?? driven) : highlight.lap + way;
      const driver = highlight?.driver ?? null;
      const clamped = Math.max(first, Math.min(driven, lap));
      return { lap: clamped, driver, ...spanOf(clamped, driver) };
    },
  };
}
