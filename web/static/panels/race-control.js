// The race control log, newest message first. New messages are announced to screen readers and, on request, by a tone.

import { Changes } from "../page/changes.js";
import { byId, element, setText } from "../page/dom.js";
import { clock } from "../page/format.js";
import { arrange } from "../page/rows.js";

const MAX_MESSAGES = 200; // listed; older ones are left out
const NEWS_MS = 6000; // of session time: after a longer step in time, messages are listed but not announced
const MAX_SPOKEN = 3; // messages in one announcement

/** A message's identity. Its `t` may differ between the snapshot and the history. */
function keyOf(message) {
  return `${message.session_time_ms} ${message.message}`;
}

export class RaceControlLog {
  constructor(list, playback) {
    this.list = list;
    this.playback = playback;
    this.changes = new Changes();
    this.sound = new Sound(byId("sound"));
    this.reset();
  }

  reset() {
    this.list.replaceChildren();
    this.changes.reset();
    this.items = new Map(); // `{t, node}` by time and text
    this.announcedTo = null; // session time (ms) up to which messages have been announced
    this.banner = "";
    byId("no-messages").hidden = false;
  }

  /** List the messages known at the view's horizon; those later than the snapshot are marked as revealed. */
  render({ snapshot, history, horizon, t }) {
    // The snapshot has the newest messages while the history still arrives: with both the list does not jump.
    const newest = (snapshot.race.race_control ?? []).map((message) => ({ t: message.session_time_ms, ...message }));
    const known = new Map([...newest, ...history.messages(horizon, "race_control")].map((message) => [keyOf(message), message]));
    const messages = [...known.values()].sort((a, b) => a.t - b.t);
    if (this.changes.differ(messages.map(keyOf))) {
      const keyed = messages.slice(-MAX_MESSAGES).map((message) => [keyOf(message), message]);
      this.items = new Map(keyed.map(([key, message]) => [key, this.items.get(key) ?? { t: message.t, node: this.item(message) }]));
      arrange(this.list, [...this.items.values()].map(({ node }) => node).reverse());
      byId("no-messages").hidden = messages.length > 0;
    }
    for (const item of this.items.values()) item.node.dataset.later = String(item.t > t);
    this.announce(messages, t);
  }

  /** Announce new messages and a new banner, unless the viewer has just jumped to this time. */
  announce(messages, t) {
    const continuous = this.announcedTo !== null && t >= this.announcedTo && t - this.announcedTo < NEWS_MS;
    const fresh = continuous ? messages.filter((message) => message.t > this.announcedTo && message.t <= t) : [];
    this.announcedTo = t;
    const spoken = fresh.map((message) => message.message);
    const banner = byId("banner-text").textContent;
    if (banner !== this.banner && continuous) spoken.push(banner);
    this.banner = banner;
    if (spoken.length) setText("announce", spoken.slice(-MAX_SPOKEN).join(". "));
    if (fresh.length) this.sound.play(fresh.at(-1));
  }

  item(message) {
    const flag = element("i", "flag");
    flag.dataset.flag = (message.flag ?? (message.category === "SafetyCar" ? "SAFETY" : "NONE")).replaceAll(" ", "-");
    const when = element("button", "moment", clock(message.session_time_ms));
    when.type = "button";
    when.title = "Go to this time";
    when.addEventListener("click", () => this.playback.seek(message.session_time_ms));
    const place = element("span", "when", [when]);
    if (message.lap != null) place.append(element("span", "", `Lap ${message.lap}`));
    return element("li", "", [flag, place, element("span", "message", message.message)]);
  }
}

const TONES = { RED: [330, 330, 330], YELLOW: [660, 660], "DOUBLE YELLOW": [660, 660], GREEN: [520, 780], CLEAR: [520, 780] }; // Hz
const OTHER_TONE = [600];

/** Plays a short tone for a message while the viewer has it switched on. */
class Sound {
  constructor(button) {
    this.on = false;
    button.addEventListener("click", () => {
      this.on = !this.on;
      button.setAttribute("aria-pressed", String(this.on));
      if (this.on) this.play({ flag: "GREEN" }); // as a sample; browsers also allow sound only after a click
    });
  }

  play({ flag }) {
    if (!this.on) return;
    this.audio ??= new AudioContext();
    const start = this.audio.currentTime;
    (TONES[flag] ?? OTHER_TONE).forEach((pitch, i) => {
      const [tone, volume] = [this.audio.createOscillator(), this.audio.createGain()];
      const at = start + i * 0.16;
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0.12, at);
      volume.gain.exponentialRampToValueAtTime(0.001, at + 0.14);
      tone.connect(volume).connect(this.audio.destination);
      tone.start(at);
      tone.stop(at + 0.15);
    });
  }
}
