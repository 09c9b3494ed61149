// The websocket: opens, reads, notices silence, comes back. Tells every change to one listener.

const BACKOFF_MS = [500, 1000, 2000, 4000, 8000];
// The server speaks every second; one that is silent for this long is gone, even if the socket looks open.
const SILENT_MS = 8000;

export class Connection {
  /** `query()` is what to ask for now; `onMessage(object)` gets every message, `onChange()` is called when `state` has changed. */
  constructor({ query, onMessage, onChange }) {
    this.query = query;
    this.state = "connecting"; // "open", "closed"
    this.everOpen = false;
    this.retryAt = 0; // performance.now() of the next try
    this.heardAt = 0;
    this.onMessage = onMessage;
    this.onChange = onChange;
    this.failures = 0;
    this.open();
    setInterval(() => this.watch(), 1000);
    window.addEventListener("online", () => this.retryNow());
    document.addEventListener("visibilitychange", () => document.hidden || this.retryNow());
  }

  open() {
    clearTimeout(this.timer);
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/ws?${this.query()}`);
    this.socket = socket;
    this.heardAt = performance.now();
    socket.onopen = () => {
      if (socket !== this.socket) return;
      this.failures = 0;
      this.everOpen = true;
      this.change("open");
    };
    socket.onmessage = (event) => {
      if (socket !== this.socket) return;
      this.heardAt = performance.now();
      let message;
      try {
        message = JSON.parse(event.data);
      } catch {
        console.warn("a message that is not JSON was ignored");
        return;
      }
      this.onMessage(message);
    };
    socket.onclose = () => socket === this.socket && this.lost();
  }

  lost() {
    this.socket = null;
    const pause = BACKOFF_MS[Math.min(this.failures, BACKOFF_MS.length - 1)] * (0.8 + 0.4 * Math.random());
    this.failures += 1;
    this.retryAt = performance.now() + pause;
    this.timer = setTimeout(() => this.open(), pause);
    this.change("closed");
  }

  watch() {
    if (this.socket && performance.now() - this.heardAt > SILENT_MS) {
      const socket = this.socket;
      this.lost();
      socket.close();
    }
  }

  retryNow() {
    if (this.state === "closed" && !this.socket) this.open();
  }

  /** Ask anew, for something else. */
  reopen() {
    const old = this.socket;
    this.open();
    old?.close();
  }

  /** Tell the server something; what is said while there is no connection, the next one asks for. */
  send(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  change(state) {
    this.state = state;
    this.onChange();
  }
}

/** What the pill says: `{state, text, more}`, from the connection, the server's last status, the session and the remote control. */
export function connectionStatus(connection, status, statusAge, ended, now, remote) {
  if (connection.state === "closed") {
    const seconds = Math.max(0, Math.ceil((connection.retryAt - now) / 1000));
    return { state: "down", text: "Disconnected, retrying", more: seconds ? `in ${seconds} s` : "" };
  }
  if (connection.state === "connecting" || !status) return { state: "connecting", text: "Connecting", more: "" };
  if (statusAge > 3500) return { state: "wait", text: "Server is not answering", more: seconds(statusAge) };
  if (remote.mode === "pause") return { state: "past", text: "Paused", more: "" };
  if (remote.mode === "play") return { state: "past", text: "Playing", more: remote.speed === 1 ? "" : `${remote.speed}×` };
  if (ended) return { state: "over", text: "Session over", more: "" };
  if (status.reader !== "connected") return { state: "down", text: "Kafka is unreachable", more: "" };
  if (status.session == null) return { state: "wait", text: "Waiting for a session", more: "" };
  if (status.damaged) return { state: "down", text: "Run is damaged", more: "" };
  if (status.worker_age_ms == null) return { state: "wait", text: "Waiting for data", more: "" };
  const age = status.worker_age_ms + statusAge;
  if (age > 30000) return { state: "down", text: "Race worker is gone", more: seconds(age) };
  if (age > 5000) return { state: "wait", text: "Waiting for data", more: seconds(age) };
  return { state: "live", text: "Live", more: remote.delay ? `${(remote.delay / 1000).toFixed(1)} s later` : "" };
}

function seconds(ms) {
  return ms < 120000 ? `${Math.floor(ms / 1000)} s` : `${Math.floor(ms / 60000)} min`;
}
