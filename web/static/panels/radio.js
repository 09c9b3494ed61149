// Recorded team radio, newest first, as links to Formula 1's archive.

import { Changes } from "../page/changes.js";
import { byId, element } from "../page/dom.js";
import { clock, teamColor } from "../page/format.js";
import { arrange } from "../page/rows.js";

const ARCHIVE = "https://livetiming.formula1.com/static/";

export class Radio {
  constructor(playback) {
    this.playback = playback;
    this.changes = new Changes();
    this.items = new Map(); // by the recording's path
  }

  reset() {
    this.changes.reset();
    this.items = new Map();
  }

  render({ snapshot, history, horizon }) {
    const messages = history.messages(horizon, "team_radio");
    if (!this.changes.differ(messages, snapshot.head)) return;
    byId("no-radio").hidden = messages.length > 0;
    this.items = new Map(messages.map((message) => [message.path, this.items.get(message.path) ?? this.item(message, snapshot.head)]));
    arrange(byId("radio"), [...this.items.values()].reverse());
  }

  item(message, head) {
    const entry = head.cars.find((car) => car.driver_number === message.driver_number);
    const when = element("button", "moment", clock(message.session_time_ms));
    when.type = "button";
    when.addEventListener("click", () => this.playback.seek(message.session_time_ms));
    const item = element("li", "", [element("i"), when, element("span", "", `${entry?.tla ?? message.driver_number} ${entry?.name ?? ""}`), recording(head.info.path, message.path)]);
    item.style.setProperty("--team", teamColor(entry?.team_color));
    return item;
  }
}

/** A link to a recording; plain text if the session has no archive folder or the path has unexpected characters. */
function recording(folder, path) {
  if (!folder || !/^[\w./-]+$/.test(path)) return element("span", "quiet", "recorded");
  const link = element("a", "", "Listen");
  link.href = ARCHIVE + folder + path;
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  return link;
}
