// What the viewer's browser remembers. Some browsers forbid storage, in private windows or altogether: then nothing is
// remembered, and the page works.

const PREFIX = "f1stream.";

/** The remembered text of that name; null if there is none. */
export function recall(name) {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

export function remember(name, text) {
  try {
    localStorage.setItem(PREFIX + name, text);
  } catch {
    // Not allowed, or full.
  }
}
