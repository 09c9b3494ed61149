// The choice of sessions in the header, shown when the server has more than one.

import { listedSessions } from "../session/listed-sessions.js";
import { byId } from "./dom.js";

export class SessionPicker {
  /** `onPick(sessionKey)` is called when the viewer picks a session. */
  constructor(onPick) {
    this.select = byId("session");
    this.listed = ""; // the session keys that the options were made of
    this.select.addEventListener("change", () => onPick(this.select.value));
  }

  /** Update from the server's status. The names of sessions are fetched only when the list of keys changes. */
  async render({ sessions, session }) {
    const { select } = this;
    byId("session-choice").hidden = sessions.length < 2;
    if (select.value !== session && [...select.options].some((option) => option.value === session)) select.value = session;
    if (sessions.length < 2 || sessions.join() === this.listed) return;
    this.listed = sessions.join();
    try {
      const options = await listedSessions();
      select.replaceChildren(...options.map(({ key, title }) => new Option(`${title} (${key})`, key)));
      select.value = session ?? "";
    } catch {
      this.listed = ""; // the next status retries
    }
  }
}
