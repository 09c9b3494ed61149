// What the page shows in place of a picture: the choice of where to begin in a session that has ended, a way out of an
// address that leads nowhere, or the calendar while there is no session.

import { listedSessions } from "../session/listed-sessions.js";
import { Changes } from "./changes.js";
import { byId, element, setText } from "./dom.js";
import { clock } from "./format.js";
import { renderSession } from "./header.js";

const AT_THE_END_MS = 5000; // of session time: a viewer who was this close to the end has seen it
const WAITING = "This page starts by itself as soon as a session begins.";

export class Opening {
  constructor(playback, lastShown, calendar) {
    Object.assign(this, { playback, lastShown, calendar });
    this.changes = new Changes();
    this.covers = true; // whether nothing else is shown
  }

  /** `head` is the newest header, `hasPicture` whether there is something to show; `trouble` is the pill's sentence. */
  render({ status, head, hasPicture, trouble, now }) {
    const kind = this.kind(status, hasPicture);
    if (kind) this.covers = true;
    else if (hasPicture) this.covers = false;
    // While the server has not said that there is none, a picture may be on its way: nothing flashes or moves at load.
    const known = kind !== "waiting" || trouble !== null || status?.session === null;
    byId("main").dataset.empty = String(this.covers && known);
    if (!this.covers || !known) return;
    if (kind === "ended" || kind === "beyond") this.renderEnded(status, head?.session_key === status.session ? head : null, kind);
    else if (kind === "unknown") this.renderUnknown(status);
    else this.renderWaiting(status, trouble, now);
  }

  kind(status, hasPicture) {
    const { playback } = this;
    if (!status) return hasPicture && playback.asked === null ? null : "waiting";
    if (!hasPicture && status.session === null && playback.session !== null && !status.sessions.includes(playback.session)) return "unknown";
    if (status.session !== null && (playback.mode === "wait" || (status.mode === "wait" && !hasPicture))) return "ended";
    if (playback.beyond !== null) return "beyond";
    return hasPicture ? null : "waiting";
  }

  /** A session that has ended, or one that ended before the time in the address. */
  renderEnded(status, head, kind) {
    const last = this.lastShown.of(status.session);
    const resume = last !== null && last > status.from_ms && last < status.to_ms - AT_THE_END_MS ? last : null;
    if (!this.changes.differ(kind, status.session, head, resume, this.playback.beyond)) return;
    if (head) renderSession(head);
    setText("empty-title", head ? `${head.info.meeting}: ${head.info.name}` : "This session has ended");
    setText("empty-text", kind === "beyond"
      ? `This session has no moment ${clock(this.playback.beyond)}: it ended before. Where do you want to begin?`
      : "This session has ended. Nothing of it is shown before you choose where to begin.");
    this.show([
      choice("Watch from the start", () => this.playback.lap(1), "start"),
      ...(resume === null ? [] : [choice(`Resume at ${clock(resume)}`, () => this.playback.play(resume, 1), "resume")]),
      choice("Go to the end", () => this.playback.live(), "end"),
    ], []);
  }

  /** The address names a session that the server does not have. */
  renderUnknown({ sessions }) {
    if (!this.changes.differ("unknown", sessions)) return;
    setText("empty-title", `There is no session ${this.playback.session} here`);
    setText("empty-text", sessions.length ? "These can be shown:" : WAITING);
    this.show([link("Go live", location.pathname)], sessions.toReversed().map((key) => link(key, `?session=${encodeURIComponent(key)}`)));
    if (sessions.length) this.nameLinks();
  }

  /** Give the links the sessions' names, which the status does not have. */
  async nameLinks() {
    try {
      for (const { key, title } of await listedSessions()) {
        const place = [...byId("empty-list").querySelectorAll("a")].find((each) => each.textContent === key);
        if (place) place.textContent = title;
      }
    } catch {
      // The keys remain.
    }
  }

  /** No session yet: the calendar, if the server has one. */
  renderWaiting(status, trouble, now) {
    setText("empty-title", trouble ?? (status?.session ? "Waiting for the first picture…" : "Waiting for a session…"));
    const days = status && !status.session ? this.calendar.rows(now) : null;
    if (!this.changes.differ("waiting", days)) return;
    setText("empty-text", WAITING);
    this.show([], days ?? []);
  }

  show(choices, list) {
    byId("empty-choices").replaceChildren(...choices);
    byId("empty-list").replaceChildren(...list.map((each) => element("li", "", [each].flat())));
  }
}

function choice(text, action, name) {
  const button = element("button", "text-button", text);
  button.type = "button";
  button.dataset.choice = name;
  button.addEventListener("click", action);
  return button;
}

function link(text, href) {
  const node = element("a", "", text);
  node.href = href;
  return node;
}
