// Merges frames into snapshots and buffers them. A keyframe plus any one later delta is a complete snapshot.

const MAX_SNAPSHOTS = 400; // oldest dropped first; 16 s at the server's highest rate of 25 frames a second

export class FrameBuffer {
  constructor() {
    this.head = null;
    this.key = null;
    this.snapshots = []; // oldest first
  }

  /** Set the session header. True if it belongs to another session or another run of it: all panels must reset. */
  setHead(head) {
    const other = head.session_key !== this.head?.session_key || head.epoch !== this.head?.epoch;
    this.head = head;
    if (other) this.clear();
    return other;
  }

  /** Drop all frames: the next ones belong to another session time. */
  clear() {
    this.key = null;
    this.snapshots = [];
  }

  /** Merge and store a frame; null if its keyframe is missing or it is not newer than the last one. */
  addFrame(frame) {
    if (!this.head) return null;
    if (frame.kind === "key") this.key = frame;
    if (!this.key || frame.key_t !== this.key.t) return null;
    const last = this.snapshots.at(-1);
    if (last && frame.t <= last.t) return null;
    const snapshot = merge(this.key, frame);
    snapshot.head = this.head;
    this.snapshots.push(snapshot);
    if (this.snapshots.length > MAX_SNAPSHOTS) this.snapshots.shift();
    return snapshot;
  }

  /**
   * The snapshots before and after session time `t` (ms), and the fraction 0–1 between them: `{from, to, part}`, with `t`
   * and all `snapshots` of the buffer.
   */
  around(t) {
    const snapshots = this.snapshots;
    if (!snapshots.length) return null;
    while (snapshots.length > 2 && snapshots[1].t <= t) snapshots.shift();
    const from = snapshots[0];
    const to = snapshots[1];
    if (!to || t <= from.t) return { from, to: from, part: 0, t, snapshots };
    if (to.t <= t) return { from: to, to, part: 0, t, snapshots };
    return { from, to, part: (t - from.t) / (to.t - from.t), t, snapshots };
  }
}

/** Apply one delta to a keyframe. An absent field is unchanged, null is unknown. */
function merge(key, delta) {
  if (delta === key) return { ...key };
  const cars = { ...key.cars };
  for (const [number, changes] of Object.entries(delta.cars ?? {})) cars[number] = { ...cars[number], ...changes };
  return { ...key, ...delta, cars, race: { ...key.race, ...delta.race } };
}
