// Whether what a panel draws has changed since it was drawn.

/**
 * Remembers the inputs of the last drawing. Name everything that the drawing reads: a value that is left out is drawn
 * too late or never. Arrays are compared by their elements, all other values by identity.
 */
export class Changes {
  constructor() {
    this.inputs = null;
  }

  /** Whether an input differs from those of the last call; remembers these. */
  differ(...inputs) {
    const same = this.inputs?.length === inputs.length && inputs.every((input, i) => isSame(input, this.inputs[i]));
    this.inputs = inputs.map((input) => (Array.isArray(input) ? [...input] : input));
    return !same;
  }

  /** Forget the last inputs: the next call finds a difference. */
  reset() {
    this.inputs = null;
  }
}

function isSame(a, b) {
  if (!Array.isArray(a) || !Array.isArray(b)) return Object.is(a, b);
  return a.length === b.length && a.every((each, i) => isSame(each, b[i]));
}
