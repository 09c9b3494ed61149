// What a snapshot (all frame fields of a session at one session time) means: car status, signal age, order.

const STALE_MS = 5000; // age of a car's latest sample; older than this its data is stale
const OUT_MS = 30000; // older than this the car is assumed to be out
const PUSH = 1.07; // times a car's best lap; slower laps were not driven for a time
const UNRANKED = 999; // sorts cars without a position last

const LABELS = { finished: "FINISHED", retired: "RETIRED", out: "OUT", stale: "STALE", pit: "PIT", grid: "GRID", eliminated: "OUT", running: "" };

/**
 * A car's status: `{code, label, age}`. `sampleAge` is the age of its latest sample in ms, `silence` the wall time
 * in ms since the newest frame; `age` is their sum, or null. A car that has finished, retired or been eliminated
 * keeps that status without a signal.
 */
export function carStatus(car, sampleAge, silence) {
  const age = sampleAge == null ? null : sampleAge + silence;
  let code = car.status ?? "running";
  if (code !== "finished" && code !== "retired" && code !== "eliminated") {
    if (age > OUT_MS) code = "out";
    else if (age > STALE_MS || (age == null && code === "running")) code = "stale";
  }
  return { code, label: LABELS[code] ?? "", age };
}

/** Age in ms of car `i`'s latest sample, or null. If no car has samples the source sends none, so nothing is stale: 0. */
export function signalAge(snapshot, i) {
  return snapshot.age[i] ?? (snapshot.age.every((age) => age == null) ? 0 : null);
}

/** Whether the order is by best lap (practice and qualifying) instead of by position on track. */
export function isTimedSession(race) {
  return race.part != null;
}

/**
 * The laps of a car that a panel shows: all measured ones in a race; in practice and qualifying only those on which it
 * was driven for a time, not the laps out, in and of cooling down.
 */
export function shownLaps(laps, race) {
  const measured = laps.filter((lap) => lap.ms && !lap.made);
  if (!isTimedSession(race)) return measured;
  const flying = measured.filter((lap) => !lap.in && !lap.out);
  const best = Math.min(...flying.filter((lap) => !lap.deleted).map((lap) => lap.ms));
  return flying.filter((lap) => lap.ms <= best * PUSH);
}

/** What the parts of a qualifying are called: "Q", or "SQ" before a sprint; empty for other sessions. */
export function partPrefix(info) {
  if (!/qualifying|shootout/i.test(info.name)) return "";
  return /sprint/i.test(info.name) ? "SQ" : "Q";
}

/** Remaining session time in ms at session time `t` (ms), by the feed's countdown; null if the feed has none. */
export function timeLeft(race, t) {
  if (race.clock_ms == null) return null;
  return race.clock_runs ? Math.max(0, race.clock_ms - (t - race.clock_at_ms)) : race.clock_ms;
}

/** Column indices of the head's cars in race order; cars without a position come last, in the head's order. */
export function raceOrder(snapshot) {
  const position = (entry) => snapshot.cars[entry.driver_number]?.position || UNRANKED;
  return snapshot.head.cars.map((entry, i) => [position(entry), i]).sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(([, i]) => i);
}
