// Recorded team radio, newest first, as links to where Formula 1 keeps the recordings.

import { clock, teamColor } from "./format.js";
import { element } from "./tower/tower.js";

const ARCHIVE = "https://livetiming.formula1.com/static/";
const $ = (id) => document.getElementById(id);

export class Radio {
  constructor(remote) {
    this.remote = remote;
  }

  reset() {
    this.shown = "";
  }

  render({ snapshot, history, horizon }) {
    const messages = history.messages(horizon, "team_radio");
    const shown = `${messages.length} ${history.changes}`;
    if (shown === this.shown) return;
    this.shown = shown;
    const { head } = snapshot;
    $("no-radio").hidden = messages.length > 0;
    $("radio").replaceChildren(...messages.toReversed().map((message) => {
      const entry = head.cars.find((car) => car.driver_number === message.driver_number);
      const when = element("button", "moment", clock(message.session_time_ms));
      when.type = "button";
      when.addEventListener("click", () => this.remote.seek(message.session_time_ms));
      const item = element("li", "", [element("i"), when, element("span", "", `${entry?.tla ?? message.driver_number} ${entry?.name ?? ""}`), recording(head.info.path, message.path)]);
      item.style.setProperty("--team", teamColor(entry?.team_color));
      return item;
    }));
  }
}

function recording(session, path) {
  if (!session || !/^[\w./-]+$/.test(path)) return element("span", "quiet", "recorded");
  const link = element("a", "", "Listen");
  link.href = ARCHIVE + session + path;
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  return link;
}
