// A question to the server's API: asked once, again after a failure with growing pauses, and aborted by the next one.
// What the server does not have is no failure: it is asked for with `absent=204`, because browsers write every 404 into
// their console.

const BACKOFF_MS = [1000, 2000, 5000, 15000]; // by failures in a row
const NO_CONTENT = 204;

export class Request {
  constructor() {
    this.reset();
  }

  /** Forget the answer; one that is on its way is aborted. */
  reset() {
    this.abort?.abort();
    this.abort = null; // of the request that is on its way
    this.key = null; // of the latest question
    this.body = undefined; // the latest answer: undefined while there is none, null if the server does not have it
    this.error = null; // why the latest question has no answer, in the server's words
    this.failures = 0;
    this.retryAt = 0; // performance.now() of the next attempt
  }

  /** Whether the answer belongs to the latest question. */
  get settled() {
    return this.abort === null && this.error === null;
  }

  /**
   * The answer to `path`. It is asked for when `key` differs from the last call's, and again after a failure; until then
   * the last answer is returned. Paths with the same key are different ways to ask the same question.
   */
  get(path, key = path) {
    if (key !== this.key) {
      this.abort?.abort();
      Object.assign(this, { key, error: null, failures: 0 });
      this.ask(path);
    } else if (this.error !== null && !this.abort && performance.now() >= this.retryAt) this.ask(path);
    return this.body;
  }

  async ask(path) {
    const abort = (this.abort = new AbortController());
    try {
      const response = await fetch(`${path}${path.includes("?") ? "&" : "?"}absent=204`, { signal: abort.signal });
      const body = response.status === NO_CONTENT ? null : await response.json();
      if (!response.ok && body) throw new Error(body.error ?? `${path} answered ${response.status}`);
      if (!abort.signal.aborted) Object.assign(this, { body, error: null, failures: 0 });
    } catch (error) {
      if (abort.signal.aborted) return;
      this.error = error.message;
      this.retryAt = performance.now() + BACKOFF_MS[Math.min(this.failures, BACKOFF_MS.length - 1)];
      this.failures += 1;
    } finally {
      if (this.abort === abort) this.abort = null;
    }
  }
}
