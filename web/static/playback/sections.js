// What a session is divided into on the timeline: the laps of a race, the parts of a qualifying, ten minutes of a practice.

import { isTimedSession, partPrefix } from "../session/snapshot.js";

const STEP_MS = 600000; // of a practice

/**
 * The sections that have begun by `until` (session time, ms): `[{name, short, at}]`, `at` in ms. `name` is shown with a
 * time in the section and null if that says enough, `short` is written on the bar.
 */
export function sections(history, { race, head }, until) {
  if (!isTimedSession(race)) return laps(history, race, until);
  const prefix = partPrefix(head.info);
  return prefix ? parts(history, prefix, until) : minutes(race, until);
}

function laps(history, race, until) {
  const starts = history.lapStarts(until, race.started_ms).filter(({ lap, at }) => at <= until && lap <= (race.total_laps ?? Infinity));
  return starts.map(({ lap, at }) => ({ name: `Lap ${lap}`, short: String(lap), at }));
}

/** A part begins when its clock starts, which is after the feed has announced it. */
function parts(history, prefix, until) {
  const starts = history.messages(until, "session_status").filter((entry) => entry.status === "Started");
  return history.messages(until, "session_part").filter(({ part }) => part > 0).map(({ part, session_time_ms: announced }) => {
    const at = starts.find((entry) => entry.session_time_ms >= announced)?.session_time_ms ?? announced;
    return { name: prefix + part, short: prefix + part, at };
  });
}

function minutes({ started_ms: started }, until) {
  if (started == null) return [];
  const count = Math.floor((until - started) / STEP_MS) + 1;
  return Array.from({ length: Math.max(0, count) }, (_, i) => ({ name: null, short: `${i * 10}′`, at: started + i * STEP_MS }));
}
