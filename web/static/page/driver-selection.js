// The drivers that the viewer has selected: highlighted in all panels, and the last two of them compared.

import { teamColor } from "./format.js";

const MAX_SELECTED = 4; // selecting one more deselects the oldest

export class DriverSelection {
  codes = []; // three-letter codes, in the order of selection
  cars = []; // [{number, color}]

  constructor() {
    this.numbers = [];
    this.entries = new Map();
    // Codes or car numbers from the page's address; null once they have been applied to the session's entries.
    this.requested = (new URLSearchParams(location.search).get("drivers") ?? "").split(",").filter(Boolean).slice(0, MAX_SELECTED);
    this.listeners = [];
  }

  onChange(listener) {
    this.listeners.push(listener);
  }

  /** Take over the entries of a session. Selected drivers are found again by their codes. */
  setEntries(head) {
    this.entries = new Map(head.cars.map((entry) => [entry.driver_number, entry]));
    const wanted = this.requested ?? this.codes;
    this.requested = null;
    const found = wanted.map((name) => head.cars.find((entry) => entry.tla === name.toUpperCase()) ?? this.entries.get(name));
    this.numbers = [...new Set(found.filter(Boolean).map((entry) => entry.driver_number))];
    this.notify();
  }

  has(number) {
    return this.numbers.includes(number);
  }

  toggle(number) {
    this.numbers = this.has(number) ? this.numbers.filter((each) => each !== number) : [...this.numbers, number].slice(-MAX_SELECTED);
    this.notify();
  }

  clear() {
    this.numbers = [];
    this.notify();
  }

  notify() {
    this.codes = this.numbers.map((number) => this.entries.get(number)?.tla).filter(Boolean);
    this.cars = this.numbers.map((number) => ({ number, color: teamColor(this.entries.get(number)?.team_color) }));
    for (const listener of this.listeners) listener();
  }
}
