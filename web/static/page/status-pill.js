// The pill in the header: connection, server, race worker and playback in a few words.

import { byId, setText } from "./dom.js";

const SERVER_SILENT_MS = 3500; // age of the server's latest status; it sends one every second
const DATA_LATE_MS = 5000; // age of the race worker's latest record: above this there is no new data
const WORKER_GONE_MS = 30000; // above this the race worker is assumed to be down

/**
 * The pill's `{state, text, more}`. `status` is the server's latest status, `statusAge` its age in ms, `now` is
 * performance.now(). From an ended session nothing more is expected: that nothing comes is no fault.
 */
export function connectionStatus(connection, status, statusAge, now, playback) {
  if (connection.state === "closed") {
    const seconds = Math.max(0, Math.ceil((connection.retryAt - now) / 1000));
    return { state: "down", text: "Disconnected, retrying", more: seconds ? `in ${seconds} s` : "" };
  }
  if (connection.state === "connecting" || !status) return { state: "connecting", text: "Connecting", more: "" };
  if (statusAge > SERVER_SILENT_MS) return { state: "wait", text: "Server is not answering", more: coarse(statusAge) };
  if (playback.mode === "pause") return { state: "past", text: "Paused", more: "" };
  if (playback.mode === "play") return { state: "past", text: "Playing", more: playback.speed === 1 ? "" : `${playback.speed}×` };
  if (playback.mode === "wait" || status.ended) return { state: "over", text: "Session over", more: "" };
  if (status.reader !== "connected") return { state: "down", text: "Kafka is unreachable", more: "" };
  if (status.session == null) return { state: "wait", text: "Waiting for a session", more: "" };
  if (status.damaged) return { state: "down", text: "Run is damaged", more: "" };
  if (status.worker_age_ms == null) return { state: "wait", text: "Waiting for data", more: "" };
  const age = status.worker_age_ms + statusAge;
  if (age > WORKER_GONE_MS) return { state: "down", text: "Race worker is gone", more: coarse(age) };
  if (age > DATA_LATE_MS) return { state: "wait", text: "Waiting for data", more: coarse(age) };
  return { state: "live", text: "Live", more: playback.delay ? `${(playback.delay / 1000).toFixed(1)} s later` : "" };
}

export function renderPill(pill) {
  byId("pill").dataset.state = pill.state;
  setText("pill-text", pill.text);
  setText("pill-more", pill.more);
}

function coarse(ms) {
  return ms < 120000 ? `${Math.floor(ms / 1000)} s` : `${Math.floor(ms / 60000)} min`;
}
