// `window.f1stream`: read-only state of the page, for tests and for the browser's console.

/** `state` returns what `main.js` holds. Objects are copied where a caller could change them. */
export function exposeState({ buffer, map, clock, playback, history, connection, charts, state }) {
  window.f1stream = Object.freeze({
    get state() {
      return state().shown;
    },
    get newest() {
      return buffer.snapshots.at(-1) ?? null;
    },
    get positions() {
      return structuredClone(map.positions);
    },
    get connection() {
      const { pill, status } = state();
      return { state: connection.state, pill: { ...pill }, status: status && { ...status } };
    },
    get clock() {
      return { t: clock.playhead, rate: clock.rate, newest: clock.newest?.t ?? null };
    },
    get playback() {
      return { mode: playback.mode, speed: playback.speed, delay: playback.delay, reveal: playback.reveal, settled: playback.settled };
    },
    get history() {
      return history.entries.map((entry) => ({ ...entry }));
    },
    /** What each chart has drawn, by name; null for those that have drawn nothing. */
    get charts() {
      return Object.fromEntries([...charts].map(([name, chart]) => [name, structuredClone(chart.drawn)]));
    },
    get frames() {
      return state().frames;
    },
  });
}
