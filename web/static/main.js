// Wires the page together: messages in, one clock, and everything shown follows it.

import { Charts } from "./charts/charts.js";
import { SessionClock } from "./clock.js";
import { LapComparison } from "./charts/comparison.js";
import { Connection, connectionStatus } from "./connection.js";
import { PanelChooser } from "./panel-chooser.js";
import { History } from "./history.js";
import { bindKeys } from "./keys.js";
import { TrackMap } from "./map/map.js";
import { Marts } from "./marts.js";
import { RaceControlLog, renderHead, renderSession, text } from "./panels.js";
import { PitWindow } from "./pit-window.js";
import { Radio } from "./radio.js";
import { Remote, SPEEDS } from "./remote.js";
import { ResultPanel } from "./result.js";
import { DriverSelection } from "./driver-selection.js";
import { StandingsPanel } from "./standings.js";
import { Race } from "./frames.js";
import { Timeline, fillSpeeds } from "./timeline.js";
import { Tower } from "./tower/tower.js";
import { isEstimated } from "./map/track.js";

const TABLE_MS = 200; // the table and the panels change at most this often
const STILL_MS = 1000; // with reduced motion the cars step instead of gliding

const $ = (id) => document.getElementById(id);
const race = new Race();
const clock = new SessionClock();
const history = new History();
const selection = new DriverSelection();
const map = new TrackMap($("map"), selection);
const tower = new Tower($("rows"), selection);
const marts = new Marts();
const result = new ResultPanel();
const standings = new StandingsPanel();
const calm = window.matchMedia("(prefers-reduced-motion: reduce)");

let connection = null;
let status = null; // the server's latest status
let statusAt = 0;
let frameAt = 0; // performance.now() when the newest frame came
let frames = 0;
let shown = null; // the snapshot on the page
let shownHead = null;
let tableAt = 0;
let mapAt = 0;
let pill = {};

const remote = new Remote({
  send: (button) => connection?.send(button),
  shown: () => clock.playhead,
  onChange: () => (tableAt = 0),
});
const log = new RaceControlLog($("messages"), remote);
const radio = new Radio(remote);
const charts = new Charts();
const compare = new LapComparison(selection, (places) => (map.points = places));
const pitWindow = new PitWindow(selection);
const tape = new Timeline(remote, history);
fillSpeeds(SPEEDS);
new PanelChooser(() => window.dispatchEvent(new Event("themechange")));

function take(message) {
  const now = performance.now();
  if (message.kind === "status") {
    status = message;
    statusAt = now;
    marts.built(message.marts);
    renderSessions(message);
  } else if (message.kind === "moved") {
    if (remote.moved(message)) {
      race.jump();
      clock.reset(message.mode === "play" ? message.speed : null);
    } else if (message.id === null) clock.pace = null;
    if (!message.reveal) history.forget(message.t);
  } else if (message.kind === "refused") {
    remote.refused(message);
    text("announce", message.error);
    text("timeline-note", message.error);
  } else if (message.kind === "log") {
    history.take(message.entries);
  } else if (message.kind === "head") {
    if (race.setHead(message)) resetPanels();
  } else if ((message.kind === "key" || message.kind === "delta") && remote.settled) {
    frameAt = now;
    frames += 1;
    const snapshot = race.addFrame(message);
    if (!snapshot) return;
    if (remote.mode === "pause") clock.hold(message.t);
    else clock.arrived(message.t, now);
  }
}

/** Another session, or another run of it. */
function resetPanels() {
  clock.reset(remote.mode === "play" ? remote.speed : null);
  for (const each of [map, tower, log, radio, charts, compare, pitWindow, result, standings, history]) each.reset();
  shown = null;
}

/** One image of the display. */
function draw(now) {
  requestAnimationFrame(draw);
  const t = clock.at(now);
  const around = t === null ? null : race.around(t);
  if (around) {
    if (shownHead !== around.from.head) {
      shownHead = around.from.head;
      renderHead(shownHead);
      selection.know(shownHead);
      $("main").dataset.empty = "false";
    }
    const silence = remote.mode === "pause" ? 0 : now - frameAt;
    if (!calm.matches || now - mapAt > STILL_MS) {
      mapAt = now;
      map.draw(calm.matches ? { ...around, to: around.from, part: 0 } : around, silence);
    }
    if (now - tableAt > TABLE_MS) {
      tableAt = now;
      shown = around.from;
      const view = { snapshot: shown, t, horizon: remote.reveal ? Infinity : t, history, selection, over: shown.race.ended || (remote.reveal && Boolean(status?.ended)) };
      tower.render(shown, silence, history.laps(t));
      renderSession(shown, clock.rate, status?.session === shown.head.session_key ? status.damaged : null);
      log.render(view);
      radio.render(view);
      pitWindow.render(shown);
      charts.render(view, now);
      compare.render(view);
      renderMapNote(shown);
      result.render(view, marts);
      standings.render(view, marts, now);
      renderTape(t, now);
    }
  }
  renderPill(now);
}

function renderTape(t, now) {
  const span = status?.from_ms == null ? [t, t] : [status.from_ms, Math.max(status.to_ms, t)];
  tape.render(t, span, remote.reveal ? Infinity : t, shown?.race.started_ms, selection.cars);
  remote.address(race.head?.session_key, selection.codes, now);
}

function renderMapNote(snapshot) {
  const estimated = isEstimated(snapshot);
  $("map-note").hidden = Boolean(snapshot.head.outline);
  $("map-note").dataset.estimated = String(estimated);
  text("map-note", estimated
    ? "Estimated: without positions a lap is drawn as a ring of its time, and cars are placed by their mini-sectors."
    : "The track's line is not known yet: only the cars are shown.");
}

function renderPill(now) {
  const over = status?.session === race.head?.session_key && Boolean(shown?.race.ended);
  pill = connectionStatus(connection, status, now - statusAt, over, now, remote);
  $("pill").dataset.state = pill.state;
  text("pill-text", pill.text);
  text("pill-more", pill.more);
  if (race.head) return;
  const lost = pill.state === "down";
  text("empty-title", lost ? pill.text : "Waiting for a session…");
}

let known = "";

/** The choice of sessions, when there is more than one. */
async function renderSessions({ sessions, session }) {
  $("session-choice").hidden = sessions.length < 2;
  if ($("session").value !== session && [...$("session").options].some((option) => option.value === session)) $("session").value = session;
  if (sessions.length < 2 || sessions.join() === known) return;
  known = sessions.join();
  try {
    const answer = await (await fetch("/api/sessions")).json();
    $("session").replaceChildren(...answer.sessions.map((each) => new Option(`${each.meeting}: ${each.name} (${each.session_key})`, each.session_key)));
    $("session").value = session ?? "";
  } catch {
    known = ""; // the next status tries again
  }
}

connection = new Connection({
  query: () => remote.query(),
  onMessage: take,
  onChange: () => {
    if (connection?.state === "open") {
      [status, statusAt] = [null, performance.now()];
      race.jump();
      history.reset();
      clock.reset(remote.mode === "play" ? remote.speed : null);
      if (remote.reveal) remote.setReveal(true);
    }
  },
});

$("session").addEventListener("change", (event) => {
  Object.assign(remote, { session: event.target.value, mode: "live", t: null });
  clock.reset();
  remote.address(event.target.value, [], performance.now(), true);
  connection.reopen();
});

bindKeys({ remote, selection, tower });

$("columns").addEventListener("click", (event) => {
  const all = event.currentTarget.getAttribute("aria-pressed") !== "true";
  event.currentTarget.setAttribute("aria-pressed", String(all));
  $("tower-scroll").dataset.all = String(all);
});

requestAnimationFrame(draw);

// For tests and curious people; reading only.
window.f1stream = Object.freeze({
  get state() {
    return shown;
  },
  get newest() {
    return race.snapshots.at(-1) ?? null;
  },
  get positions() {
    return structuredClone(map.positions);
  },
  get connection() {
    return { state: connection.state, pill: { ...pill }, status: status && { ...status } };
  },
  get clock() {
    return { t: clock.playhead, rate: clock.rate, newest: clock.newest?.t ?? null };
  },
  get remote() {
    return { mode: remote.mode, speed: remote.speed, delay: remote.delay, reveal: remote.reveal, settled: remote.settled };
  },
  get history() {
    return history.entries.map((entry) => ({ ...entry }));
  },
  get frames() {
    return frames;
  },
});
