// Connects the parts of the page: websocket messages in, one session clock, and all panels rendered from it.

import { Charts } from "./charts/charts.js";
import { LapComparison } from "./charts/comparison.js";
import { SessionClock } from "./clock.js";
import { Connection } from "./connection.js";
import { exposeState } from "./debug.js";
import { byId, setText } from "./dom.js";
import { DriverSelection } from "./driver-selection.js";
import { FrameBuffer } from "./frames.js";
import { renderFacts, renderSession } from "./header.js";
import { History } from "./history.js";
import { bindKeys } from "./keyboard.js";
import { TrackMap } from "./map/map.js";
import { isEstimated } from "./map/track.js";
import { Marts } from "./marts.js";
import { PanelChooser } from "./panel-chooser.js";
import { PitWindow } from "./pit-window.js";
import { Playback, SPEEDS } from "./playback.js";
import { RaceControlLog } from "./race-control.js";
import { Radio } from "./radio.js";
import { ResultPanel } from "./result.js";
import { SessionPicker } from "./session-picker.js";
import { StandingsPanel } from "./standings.js";
import { connectionStatus, renderPill } from "./status-pill.js";
import { Timeline, fillSpeeds } from "./timeline.js";
import { Tower } from "./tower/tower.js";

const TABLE_MS = 200; // wall time between two renderings of the table and the panels
const REDUCED_MOTION_MS = 1000; // wall time between two drawings of the map if the viewer asked for less motion

const buffer = new FrameBuffer();
const clock = new SessionClock();
const history = new History();
const selection = new DriverSelection();
const map = new TrackMap(byId("map"), selection);
const tower = new Tower(byId("rows"), selection);
const marts = new Marts();
const result = new ResultPanel();
const standings = new StandingsPanel();
const reducedMotion = window.matchMedia("(prefers-reduced-motion: reduce)");

let connection = null;
let status = null; // the server's latest status
let statusAt = 0; // performance.now() of its arrival
let frameAt = 0; // performance.now() of the newest frame's arrival
let frames = 0; // count of frames received
let shown = null; // the snapshot that the panels show
let shownHead = null;
let tableAt = 0;
let mapAt = 0;
let pill = {};

const playback = new Playback({
  send: (command) => connection?.send(command),
  shown: () => clock.playhead,
  onChange: () => (tableAt = 0),
});
const raceControl = new RaceControlLog(byId("messages"), playback);
const radio = new Radio(playback);
const charts = new Charts();
const comparison = new LapComparison(selection, (points) => (map.points = points));
const pitWindow = new PitWindow(selection);
const timeline = new Timeline(playback, history);
fillSpeeds(SPEEDS);
new PanelChooser(() => window.dispatchEvent(new Event("themechange")));
const picker = new SessionPicker((session) => {
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
  } else if (message.kind === "moved") {
    if (playback.onMoved(message)) {
      buffer.clear();
      clock.reset(message.mode === "play" ? message.speed : null);
    } else if (message.id === null) clock.pace = null;
    if (!message.reveal) history.forgetAfter(message.t);
  } else if (message.kind === "refused") {
    playback.onRefused(message);
    setText("announce", message.error);
    setText("timeline-note", message.error);
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
  for (const each of [map, tower, raceControl, radio, charts, comparison, pitWindow, result, standings, history]) each.reset();
  shown = null;
}

/** Draw one frame of the display; `now` is performance.now(). */
function draw(now) {
  requestAnimationFrame(draw);
  const t = clock.at(now);
  const around = t === null ? null : buffer.around(t);
  if (around) {
    if (shownHead !== around.from.head) {
      shownHead = around.from.head;
      renderSession(shownHead);
      selection.setEntries(shownHead);
      byId("main").dataset.empty = "false";
    }
    const silence = playback.mode === "pause" ? 0 : now - frameAt;
    if (!reducedMotion.matches || now - mapAt > REDUCED_MOTION_MS) {
      mapAt = now;
      map.draw(reducedMotion.matches ? { ...around, to: around.from, part: 0 } : around, silence);
    }
    if (now - tableAt > TABLE_MS) {
      tableAt = now;
      shown = around.from;
      renderPanels(t, silence, now);
    }
  }
  renderStatus(now);
}

/** Render the table and all panels from the snapshot shown; `silence` is wall time in ms since the newest frame. */
function renderPanels(t, silence, now) {
  const over = shown.race.ended || (playback.reveal && Boolean(status?.ended));
  const horizon = playback.reveal ? Infinity : t; // session time up to which panels may show what has happened
  const view = { snapshot: shown, t, horizon, history, selection, over };
  tower.render(shown, silence, history.laps(t));
  renderFacts(shown, clock.rate, status?.session === shown.head.session_key ? status.damaged : null);
  raceControl.render(view);
  radio.render(view);
  pitWindow.render(shown);
  charts.render(view, now);
  comparison.render(view);
  renderMapNote(shown);
  result.render(view, marts);
  standings.render(view, marts, now);
  const span = status?.from_ms == null ? [t, t] : [status.from_ms, Math.max(status.to_ms, t)];
  timeline.render(t, span, horizon, shown.race.started_ms, selection.cars);
  playback.updateAddress(buffer.head?.session_key, selection.codes, now);
}

function renderMapNote(snapshot) {
  const estimated = isEstimated(snapshot);
  byId("map-note").hidden = Boolean(snapshot.head.outline);
  byId("map-note").dataset.estimated = String(estimated);
  setText("map-note", estimated
    ? "Estimated: without positions the map is a ring of one lap's time, with cars placed by their mini-sectors."
    : "The track outline is not known yet: only the cars are shown.");
}

function renderStatus(now) {
  const over = status?.session === buffer.head?.session_key && Boolean(shown?.race.ended);
  pill = connectionStatus(connection, status, now - statusAt, over, now, playback);
  renderPill(pill);
  if (!buffer.head) setText("empty-title", pill.state === "down" ? pill.text : "Waiting for a session…");
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

byId("columns").addEventListener("click", (event) => {
  const all = event.currentTarget.getAttribute("aria-pressed") !== "true";
  event.currentTarget.setAttribute("aria-pressed", String(all));
  byId("tower-scroll").dataset.all = String(all);
});

requestAnimationFrame(draw);

exposeState({ buffer, map, clock, playback, history, connection, state: () => ({ shown, pill, status, frames }) });
