// The season's calendar, shown while there is no session, with the time until the next one. All times are the viewer's.

import { element } from "./dom.js";
import { Request } from "../session/request.js";

const EVENTS = 5; // that are shown
const DAY_MS = 86_400_000;
const LONGEST_MS = DAY_MS / 8; // of a session, with its interruptions
const ASK_MS = 600_000; // wall time until the calendar is asked for again

export class Calendar {
  constructor() {
    this.request = new Request();
    this.made = { key: null, rows: null };
  }

  /** The coming events, each as a list of elements; null while there is no calendar. `now` is performance.now(). */
  rows(now) {
    const events = this.request.get("/api/calendar", Math.floor(now / ASK_MS))?.events;
    if (!events?.length) return null;
    const today = Date.now();
    const key = `${Math.floor(today / 1000)} ${this.request.key}`;
    if (key !== this.made.key) this.made = { key, rows: comingEvents(events, today) };
    return this.made.rows;
  }
}

/** The events that are not over at `today` (Unix ms), as lists of elements; the first one with the time until it. */
export function comingEvents(events, today) {
  const coming = events.filter((event) => !event.cancelled && endOf(event) > today).slice(0, EVENTS);
  return coming.map((event, i) => [
    element("time", "", whenText(event)),
    element("span", "event", event.event_name),
    ...(i === 0 ? [element("b", "countdown", nextText(event, today))] : []),
  ]);
}

function endOf({ sessions, race_date: date }) {
  return sessions.length ? sessions.at(-1).starts_ms + LONGEST_MS : Date.parse(`${date}T23:59:59Z`);
}

/** When the race is: in the viewer's time, or the date if its time is not known. */
function whenText({ sessions, race_date: date }) {
  const day = { weekday: "short", day: "numeric", month: "short" };
  const race = sessions.find((session) => session.name === "Race");
  if (race) return new Date(race.starts_ms).toLocaleString([], { ...day, hour: "2-digit", minute: "2-digit" });
  return new Date(`${date}T12:00:00Z`).toLocaleDateString([], { ...day, timeZone: "UTC" });
}

/** "Practice 1 in 3 d 04:05:06", or "in 3 days" if only the date is known. */
function nextText({ sessions, race_date: date }, today) {
  const next = sessions.find((session) => session.starts_ms > today);
  if (next) return `${next.name} in ${countdown(Math.ceil((next.starts_ms - today) / 1000))}`;
  if (sessions.length) return `${sessions.at(-1).name} should be running`;
  const days = Math.ceil((Date.parse(`${date}T00:00:00Z`) - today) / DAY_MS);
  return days <= 0 ? "today" : days === 1 ? "tomorrow" : `in ${days} days`;
}

function countdown(seconds) {
  const two = (number) => String(Math.floor(number)).padStart(2, "0");
  const days = Math.floor(seconds / 86_400);
  return `${days ? `${days} d ` : ""}${two((seconds / 3600) % 24)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}`;
}
