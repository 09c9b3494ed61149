// What the marts say, asked for once a build: the server's status tells when something of another one has come.

const AGAIN_MS = 5000; // after an answer that could not be read

export class Marts {
  constructor() {
    this.version = null;
    this.answers = new Map(); // name -> {version, body, asking, again}
  }

  /** The server's status told which build it has; null: none, or it has not read that far since it started. */
  built(version) {
    if (version != null) this.version = version;
  }

  /**
   * What the API says at `path`: null where the marts do not have it, undefined while that is not known. Two paths of
   * one `name` are two ways to ask the same.
   */
  get(path, name = path) {
    if (this.version === null) return null;
    let answer = this.answers.get(name);
    if (!answer) this.answers.set(name, (answer = { version: null, body: undefined, asking: false, again: 0 }));
    if (answer.version !== this.version && !answer.asking && performance.now() >= answer.again) this.ask(path, answer);
    return answer.body;
  }

  async ask(path, answer) {
    const version = this.version; // the build may change while we ask: then we ask again
    answer.asking = true;
    try {
      const response = await fetch(path);
      if (!response.ok && response.status !== 404) throw new Error(`${path} answered ${response.status}`);
      answer.body = response.ok ? await response.json() : null;
      answer.version = version;
    } catch (error) {
      console.warn(error.message);
      answer.again = performance.now() + AGAIN_MS;
    } finally {
      answer.asking = false;
    }
  }
}

/** The result of a session that is over, as `Marts.get` has it. */
export function resultOf(marts, head) {
  return marts.get(addressOf(head, "result"));
}

/** What the API calls something of a session; `at` (session ms): as it was known then. */
export function addressOf(head, what, at = null) {
  return `/api/sessions/${encodeURIComponent(head.session_key)}/${what}${at === null ? "" : `?at=${Math.floor(at)}`}`;
}

/** Whether a session is the race of its event: only that one has a result, and standings after it. */
export function isGrandPrix(info) {
  return info.type === "Race";
}

/** Whether points are scored in it: a Grand Prix or a sprint. The server normalises the type. */
export function isRace(info) {
  return isGrandPrix(info) || info.type === "Sprint";
}

/** The colours of the head's cars and teams by the names that the marts use for them. */
export class Colours {
  constructor(head) {
    this.byNumber = new Map(head.cars.map((car) => [car.driver_number, car.team_color]));
    this.byCode = new Map(head.cars.map((car) => [car.tla, car.team_color]));
    this.byTeam = new Map(head.cars.map((car) => [car.team, car.team_color]));
  }

  /** Official names of teams are not the feed's: a team has the colour of its drivers. */
  learn(drivers) {
    for (const driver of drivers) {
      const color = this.byCode.get(driver.code);
      if (color && driver.team_name && !this.byTeam.has(driver.team_name)) this.byTeam.set(driver.team_name, color);
    }
  }
}
