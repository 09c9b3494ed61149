// The websocket: reconnects with exponential backoff and replaces a socket that has gone silent.

const BACKOFF_MS = [500, 1000, 2000, 4000, 8000]; // by failures in a row; each varied by ±20 %
// The server sends a status every second. A socket without messages for this long is replaced, even if it looks open.
const SILENT_MS = 8000;

export class Connection {
  /**
   * `query()` returns the query string of the next connection, `onMessage(object)` gets every message, `onChange()` is
   * called whenever `state` changes.
   */
  constructor({ query, onMessage, onChange }) {
    this.query = query;
    this.state = "connecting"; // "open", "closed"
    this.retryAt = 0; // performance.now() of the next attempt
    this.lastMessageAt = 0; // performance.now()
    this.onMessage = onMessage;
    this.onChange = onChange;
    this.failures = 0;
    this.open();
    setInterval(() => this.checkSilence(), 1000);
    window.addEventListener("online", () => this.retryNow());
    document.addEventListener("visibilitychange", () => document.hidden || this.retryNow());
  }

  open() {
    clearTimeout(this.timer);
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/ws?${this.query()}`);
    this.socket = socket;
    this.lastMessageAt = performance.now();
    socket.onopen = () => {
      if (socket !== this.socket) return;
      this.failures = 0;
      this.setState("open");
    };
    socket.onmessage = (event) => {
      if (socket !== this.socket) return;
      this.lastMessageAt = performance.now();
      let message;
      try {
        message = JSON.parse(event.data);
      } catch {
        console.warn("ignored a message that is not JSON");
        return;
      }
      this.onMessage(message);
    };
    socket.onclose = () => socket === this.socket && this.scheduleRetry();
  }

  scheduleRetry() {
    this.socket = null;
    const pause = BACKOFF_MS[Math.min(this.failures, BACKOFF_MS.length - 1)] * (0.8 + 0.4 * Math.random());
    this.failures += 1;
    this.retryAt = performance.now() + pause;
    this.timer = setTimeout(() => this.open(), pause);
    this.setState("closed");
  }

  checkSilence() {
    if (this.socket && performance.now() - this.lastMessageAt > SILENT_MS) {
      const socket = this.socket;
      this.scheduleRetry();
      socket.close();
    }
  }

  retryNow() {
    if (this.state === "closed" && !this.socket) this.open();
  }

  /** Replace the socket by one with the current query. */
  reopen() {
    const old = this.socket;
    this.open();
    old?.close();
  }

  /** Send a message; dropped without an open socket, because the next connection's query has the current state. */
  send(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  setState(state) {
    this.state = state;
    this.onChange();
  }
}
