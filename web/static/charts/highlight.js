// What the viewer points at in one of the charts: all of them show it.

export class Highlight {
  constructor() {
    this.listeners = [];
    this.value = null;
    this.owner = null; // the chart that has the pointer or the keyboard's focus
  }

  onChange(listener) {
    this.listeners.push(listener);
  }

  /**
   * `value` is null or `{lap, from, to, driver}`: a lap or null, its session time (ms) or null, and the car number
   * nearest to the pointer or null. `owner` is the chart that says so.
   */
  set(value, owner) {
    const names = Object.keys({ ...this.value, ...value });
    if (owner === this.owner && Boolean(this.value) === Boolean(value) && names.every((name) => this.value[name] === value[name])) return;
    this.value = value;
    this.owner = value && owner;
    for (const listener of this.listeners) listener(value);
  }
}
