// Answers of the API that come from the marts: cached until the server's status names another build of them.

const RETRY_MS = 5000; // after a failed request

export class Marts {
  constructor() {
    this.version = null;
    this.answers = new Map(); // name -> {version, body, busy, retryAt}
  }

  /** Set the build named in the server's status; null means that it has none or has not read one since it started. */
  setVersion(version) {
    if (version != null) this.version = version;
  }

  /**
   * The API's answer for `path`: null if the marts do not have it, undefined while it is loading. `name` is the cache
   * key: two paths with the same name are two ways to request the same answer.
   */
  get(path, name = path) {
    if (this.version === null) return null;
    let answer = this.answers.get(name);
    if (!answer) this.answers.set(name, (answer = { version: null, body: undefined, busy: false, retryAt: 0 }));
    if (answer.version !== this.version && !answer.busy && performance.now() >= answer.retryAt) this.load(path, answer);
    return answer.body;
  }

  async load(path, answer) {
    const version = this.version; // the build may change meanwhile: the next get() then loads again
    answer.busy = true;
    try {
      const response = await fetch(path);
      if (!response.ok && response.status !== 404) throw new Error(`${path} answered ${response.status}`);
      answer.body = response.ok ? await response.json() : null;
      answer.version = version;
    } catch (error) {
      console.warn(error.message);
      answer.retryAt = performance.now() + RETRY_MS;
    } finally {
      answer.busy = false;
    }
  }
}

/** Path of a session's resource in the API; with `at` (session time, ms) as it was known then. */
export function sessionPath(head, resource, at = null) {
  return `/api/sessions/${encodeURIComponent(head.session_key)}/${resource}${at === null ? "" : `?at=${Math.floor(at)}`}`;
}

/** Whether a session is the race of its event: only that one has a result, and standings after it. */
export function isGrandPrix(info) {
  return info.type === "Race";
}

/** Whether the session awards points: a Grand Prix or a sprint. The server normalises the type. */
export function awardsPoints(info) {
  return isGrandPrix(info) || info.type === "Sprint";
}

/** Team colours by the names that the marts use for cars, drivers and teams. */
export class TeamColours {
  constructor(head) {
    this.byNumber = new Map(head.cars.map((car) => [car.driver_number, car.team_color]));
    this.byCode = new Map(head.cars.map((car) => [car.tla, car.team_color]));
    this.byTeam = new Map(head.cars.map((car) => [car.team, car.team_color]));
  }

  /** Add the teams of these drivers: the marts' official team names differ from the feed's names. */
  addTeams(drivers) {
    for (const driver of drivers) {
      const color = this.byCode.get(driver.code);
      if (color && driver.team_name && !this.byTeam.has(driver.team_name)) this.byTeam.set(driver.team_name, color);
    }
  }
}
