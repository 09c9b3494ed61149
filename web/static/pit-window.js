// Where each car would rejoin if it stopped now, with what a stop costs in this race.

import { gap, lapTime } from "./format.js";
import { carStatus, raceOrder, signalAge } from "./frames.js";
import { driverCell, element } from "./tower/tower.js";
import { teamColor } from "./format.js";

const ASSUMED_MS = { green: 22000, vsc: 14000, sc: 11000 }; // until a stop of this race tells
const NAMES = { green: "under green", vsc: "under the virtual safety car", sc: "behind the safety car" };
const CLOSE_MS = 1500; // with so little room it could be the other way round

const $ = (id) => document.getElementById(id);

/** What a stop costs now: `{ms, text}`. */
export function pitLoss(race) {
  const condition = { 4: "sc", 6: "vsc", 7: "vsc" }[race.track_status] ?? "green";
  const measured = race.pit_loss?.find((each) => each.condition === condition);
  const seconds = ((measured?.loss_ms ?? ASSUMED_MS[condition]) / 1000).toFixed(1);
  const stops = measured && `${measured.stops} ${measured.stops === 1 ? "stop" : "stops"}`;
  return {
    ms: measured?.loss_ms ?? ASSUMED_MS[condition],
    text: measured ? `a stop costs ${seconds} s ${NAMES[condition]}: the median of ${stops} of this race` : `assumed: ${seconds} s ${NAMES[condition]}; no stop of this race has told yet`,
  };
}

/** Running cars in race order with their whole gap to the leader, ms; laps count as the leader's last lap. */
export function running(snapshot) {
  const order = raceOrder(snapshot);
  const lap = snapshot.cars[snapshot.head.cars[order[0]]?.driver_number]?.last_lap_ms;
  return order.flatMap((i, place) => {
    const entry = snapshot.head.cars[i];
    const car = snapshot.cars[entry.driver_number] ?? {};
    const { code } = carStatus(car, signalAge(snapshot, i), 0);
    if (code === "retired" || code === "out" || code === "finished" || code === "grid") return [];
    const rest = place === 0 ? 0 : car.official_gap_ms ?? snapshot.gap[i];
    if (rest == null || (car.laps_down && !lap)) return [];
    return [{ entry, position: car.position, inPit: code === "pit", behind: rest + (car.laps_down ?? 0) * (lap ?? 0) }];
  });
}

/** Where `car` would be after losing `loss` ms: `{position, ahead, margin, behind, room}`; cars or null, and ms. */
export function rejoin(cars, car, loss) {
  const others = cars.filter((each) => each !== car);
  const then = car.behind + loss;
  const before = others.filter((each) => each.behind <= then);
  const ahead = before.at(-1) ?? null;
  const after = others.find((each) => each.behind > then) ?? null;
  return { position: before.length + 1, ahead, margin: ahead && then - ahead.behind, behind: after, room: after && after.behind - then };
}

export class PitWindow {
  constructor(selection) {
    this.selection = selection;
  }

  reset() {
    this.shown = "";
  }

  render(snapshot) {
    const { race } = snapshot;
    const cars = race.part == null && !race.ended ? running(snapshot) : [];
    const loss = pitLoss(race);
    const told = cars.length ? loss.text : race.part == null ? "" : "in a race only";
    if ($("pit-window-loss").textContent !== told) $("pit-window-loss").textContent = told;
    const listed = cars.filter((car) => !car.inPit).sort((a, b) => this.selection.has(b.entry.driver_number) - this.selection.has(a.entry.driver_number) || a.behind - b.behind);
    const rows = listed.map((car) => {
      const { position, ahead, margin, behind, room } = rejoin(cars, car, loss.ms);
      return [car, `P${position}`, ahead ? `${ahead.entry.tla} ${gap(margin, 0)}` : "nobody", behind ? `${behind.entry.tla} ${lapTime(room)}` : "nobody", margin !== null && margin < CLOSE_MS, room !== null && room < CLOSE_MS];
    });
    const shown = JSON.stringify(rows.map(([car, ...rest]) => [car.entry.tla, this.selection.has(car.entry.driver_number), ...rest]));
    if (shown === this.shown) return;
    this.shown = shown;
    $("pit-window-rows").replaceChildren(...rows.map(([{ entry, position }, ...cells]) => {
      const row = element("tr", "", [driverCell(entry.tla, entry.name, entry.team), ...cells.slice(0, 3).map((content, i) => {
        const made = element("td", cells[i + 2] === true && i > 0 ? "close" : "", content);
        made.dataset.col = ["rejoin", "behind", "ahead"][i];
        return made;
      })]);
      row.style.setProperty("--team", teamColor(entry.team_color));
      row.cells[1].title = `from P${position}`;
      return row;
    }));
  }
}
