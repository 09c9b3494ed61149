// Connects the parts of the page: websocket messages in, one session clock, and all panels rendered from it.

import { sessionCharts } from "./charts/charts.js";
import { LapComparison } from "./charts/comparison.js";
import { MapNote, TrackMap } from "./map/map.js";
import { Calendar } from "./page/calendar.js";
import { exposeState } from "./page/debug.js";
import { byId, setText } from "./page/dom.js";
import { DriverSelection } from "./page/driver-selection.js";
import { Header } from "./page/header.js";
import { bindKeys } from "./page/keyboard.js";
import { Opening } from "./page/opening.js";
import { PanelChooser } from "./page/panel-chooser.js";
import { Panels } from "./page/panels.js";
import { oneTabStop } from "./page/roving.js";
import { SessionPicker } from "./page/session-picker.js";
import { connectionStatus, renderPill } from "./page/status-pill.js";
import { bindTooltips } from "./page/tooltips.js";
import { PitWindow } from "./panels/pit-window.js";
import { RaceControlLog } from "./panels/race-control.js";
import { Radio } from "./panels/radio.js";
import { ResultPanel } from "./panels/result.js";
import { StandingsPanel } from "./panels/standings.js";
import { LastShown } from "./playback/last-shown.js";
import { Playback, SPEEDS } from "./playback/playback.js";
import { Timeline, fillSpeeds } from "./playback/timeline.js";
import { SessionClock } from "./session/clock.js";
import { Connection } from "./session/connection.js";
import { FrameBuffer } from "./session/frames.js";
import { History } from "./session/history.js";
import { Marts } from "./session/marts.js";
import { Tower } from "./tower/tower.js";

const TABLE_MS = 200; // wall time between two renderings of the table and the panels
const NOTE_MS = 8000; // wall time for which a sentence about a command is shown
const REDUCED_MOTION_MS = 1000; // wall time between two drawings of the map if the viewer asked for less motion

const buffer = new FrameBuffer();
const clock = new SessionClock();
const history = new History();
const selection = new DriverSelection();
const map = new TrackMap(byId("map"), selection);
const marts = new Marts();
const reducedMotion = window.matchMedia("(prefers-reduced-motion: reduce)");

let connection = null;
let status = null; // the server's latest status
let statusAt = 0; // performance.now() of its arrival
let frameAt = 0; // performance.now() of the newest frame's arrival
let frames = 0; // count of frames received
let shown = null; // the snapshot that the panels show
let shownHead = null;
let tableAt = 0;
let allRendered = true; // whether the panels' last rendering is complete
let mapAt = 0;
let pill = {};
let noteTimer;

const playback = new Playback({
  send: (command) => connection?.send(command),
  shown: () => clock.playhead,
  onChange: () => (tableAt = 0),
});
const place = (name) => document.querySelector(`[data-panel="${name}"]`);
const charts = sessionCharts(playback);
const comparison = new LapComparison(selection, playback, (points) => (map.points = points));
const panels = new Panels([
  { place: byId("tower").closest(".panel"), panel: new Tower(byId("rows"), selection) },
  { place: null, panel: new Header() },
  { place: null, panel: new PanelChooser(() => window.dispatchEvent(new Event("themechange"))) },
  { place: place("control"), panel: new RaceControlLog(byId("messages"), playback) },
  { place: place("radio"), panel: new Radio(playback) },
  { place: place("pit-window"), panel: new PitWindow(selection) },
  ...[...charts].map(([name, panel]) => ({ place: place(name), panel })),
  { place: place("compare"), panel: comparison },
  { place: place("map"), panel: new MapNote() },
  { place: place("result"), panel: new ResultPanel() },
  { place: place("standings"), panel: new StandingsPanel() },
  { place: null, panel: new Timeline(playback, history) },
]);
fillSpeeds(SPEEDS);
const lastShown = new LastShown();
const opening = new Opening(playback, lastShown, new Calendar());
const picker = new SessionPicker((session) => {
  lastShown.leave();
  playback.changeSession(session);
  clock.reset();
  connection.reopen();
});

function handleMessage(message) {
  const now = performance.now();
  if (message.kind === "status") {
    status = message;
    statusAt = now;
    marts.setVersion(message.marts);
    picker.render(message);
    playback.onStatus(message);
    // A viewer who has lost the connection meanwhile goes on where they were.
    if (message.mode === "wait" && playback.settled && message.session === lastShown.session) playback.play(lastShown.t, 1);
  } else if (message.kind === "moved") {
    if (playback.onMoved(message)) {
      buffer.clear();
      clock.reset(message.mode === "play" ? message.speed : null);
    } else if (message.id === null) clock.pace = null;
    if (!message.reveal) history.forgetAfter(message.t);
    if (message.id !== null) note("");
  } else if (message.kind === "refused") {
    playback.onRefused(message);
    setText("announce", message.error);
    note(message.error);
  } else if (message.kind === "log") {
    history.add(message.entries);
  } else if (message.kind === "head") {
    if (buffer.setHead(message)) resetPanels();
  } else if ((message.kind === "key" || message.kind === "delta") && playback.settled) {
    frameAt = now;
    frames += 1;
    if (!buffer.addFrame(message)) return;
    if (playback.mode === "pause") clock.hold(message.t);
    else clock.arrived(message.t, now);
  }
}

/** Clear the page for another session, or another run of the same one. */
function resetPanels() {
  clock.reset(playback.mode === "play" ? playback.speed : null);
  map.reset();
  history.reset();
  panels.reset();
  shown = null;
}

/** Draw one frame of the display; `now` is performance.now(). */
function draw(now) {
  requestAnimationFrame(draw);
  const t = clock.at(now);
  const around = t === null ? null : buffer.around(t);
  pill = connectionStatus(connection, status, now - statusAt, now, playback);
  opening.render({ status, head: buffer.head, hasPicture: Boolean(shown ?? around), trouble: pill.state === "down" ? pill.text : null, now });
  if (around && !opening.covers) {
    if (shownHead !== around.from.head) {
      shownHead = around.from.head;
      selection.setEntries(shownHead);
      tableAt = now - TABLE_MS; // the panels follow with the next frame: all at once is a long task
    }
    const silence = playback.mode === "pause" ? 0 : now - frameAt;
    if (!reducedMotion.matches || now - mapAt > REDUCED_MOTION_MS) {
      mapAt = now;
      map.draw(reducedMotion.matches ? { ...around, to: around.from, part: 0, t: around.from.t } : around, silence);
    }
    if (now - tableAt > TABLE_MS || !allRendered) {
      tableAt = now;
      shown = around.from;
      allRendered = panels.render(viewOf(t, silence, now));
      lastShown.note(shownHead.session_key, t, now);
      playback.updateAddress(buffer.head?.session_key, selection.codes, now);
    }
  }
  renderStatus();
}

/** What the panels show: the snapshot at session time `t` (ms), and what is known of the session. */
function viewOf(t, silence, now) {
  return {
    snapshot: shown,
    t, // session time (ms)
    horizon: playback.reveal ? Infinity : t, // session time up to which panels may show what has happened
    span: status?.from_ms == null ? [t, t] : [status.from_ms, Math.max(status.to_ms, t)], // session time of both ends
    over: shown.race.ended || (playback.reveal && Boolean(status?.ended)), // whether the result may be shown
    damaged: status?.session === shown.head.session_key ? status.damaged : null, // why the worker has stopped the run
    rate: clock.rate, // session time per wall time
    silence, // wall time in ms since the newest frame
    now, // performance.now()
    history, selection, marts,
  };
}

function renderStatus() {
  renderPill(pill);
  setText("to-live-text", status?.ended ? "End" : "Live");
  setText("key-live", status?.ended ? "Go to the end" : "Go live");
}

/** A sentence beside the timeline about the last command, for a while. */
function note(text) {
  setText("timeline-note", text);
  clearTimeout(noteTimer);
  if (text) noteTimer = setTimeout(() => setText("timeline-note", ""), NOTE_MS);
}

connection = new Connection({
  query: () => playback.query(),
  onMessage: handleMessage,
  onChange: () => {
    if (connection?.state === "open") {
      [status, statusAt] = [null, performance.now()];
      buffer.clear();
      history.reset();
      clock.reset(playback.mode === "play" ? playback.speed : null);
      if (playback.reveal) playback.setReveal(true);
    }
  },
});

bindKeys(playback, selection);
bindTooltips();
oneTabStop(byId("messages"), ".moment");
oneTabStop(byId("radio"), "button, a");
oneTabStop(document.querySelector("#tower thead"), ".term");

byId("columns").addEventListener("click", (event) => {
  const all = event.currentTarget.getAttribute("aria-pressed") !== "true";
  event.currentTarget.setAttribute("aria-pressed", String(all));
  byId("tower-scroll").dataset.all = String(all);
});

requestAnimationFrame(draw);

exposeState({ buffer, map, clock, playback, history, connection, charts: new Map([...charts, ["compare", comparison.chart]]), state: () => ({ shown, pill, status, frames }) });
