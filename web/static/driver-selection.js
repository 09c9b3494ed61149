// The drivers that a viewer has picked: highlighted everywhere, and the last two of them compared.

import { teamColor } from "./format.js";

const MOST = 4;

export class DriverSelection {
  constructor() {
    this.numbers = [];
    this.entries = new Map();
    // Until the session's entries are known, what the address asks for.
    this.asked = (new URLSearchParams(location.search).get("drivers") ?? "").split(",").filter(Boolean).slice(0, MOST);
    this.listeners = [];
  }

  onChange(listener) {
    this.listeners.push(listener);
  }

  /** The entries of the session on the page. */
  know(head) {
    this.entries = new Map(head.cars.map((entry) => [entry.driver_number, entry]));
    const codes = this.asked ?? this.codes;
    this.asked = null;
    this.numbers = head.cars.filter((entry) => codes.includes(entry.tla)).sort((a, b) => codes.indexOf(a.tla) - codes.indexOf(b.tla)).map((entry) => entry.driver_number);
    this.tell();
  }

  has(number) {
    return this.numbers.includes(number);
  }

  toggle(number) {
    this.numbers = this.has(number) ? this.numbers.filter((each) => each !== number) : [...this.numbers, number].slice(-MOST);
    this.tell();
  }

  clear() {
    this.numbers = [];
    this.tell();
  }

  tell() {
    this.codes = this.numbers.map((number) => this.entries.get(number)?.tla).filter(Boolean);
    this.cars = this.numbers.map((number) => ({ number, color: teamColor(this.entries.get(number)?.team_color) }));
    for (const listener of this.listeners) listener();
  }

  codes = [];
  cars = [];
}
