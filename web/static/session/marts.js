// Answers of the API that come from the marts: asked for again when the server's status names another build of them.

import { Request } from "./request.js";

export class Marts {
  constructor() {
    this.version = null;
    this.requests = new Map(); // by name
  }

  /** Set the build named in the server's status; null means that it has none or has not read one since it started. */
  setVersion(version) {
    if (version != null) this.version = version;
  }

  /**
   * The API's answer for `path`: null if the marts do not have it, undefined while it is loading. Two paths with the same
   * `name` are two ways to ask the same question.
   */
  get(path, name = path) {
    if (this.version === null) return null;
    if (!this.requests.has(name)) this.requests.set(name, new Request());
    return this.requests.get(name).get(path, this.version);
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
