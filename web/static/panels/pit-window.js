// The pit window: where each car would rejoin if it stopped now, by the time that a stop has cost in this race.

import { byId, cell, driverCell, element } from "../page/dom.js";
import { gap, lapTime, teamColor } from "../page/format.js";
import { updateRows } from "../page/rows.js";
import { gapsToShow } from "../session/gaps.js";
import { carStatus, raceOrder, signalAge } from "../session/snapshot.js";

const ASSUMED_MS = { green: 22000, vsc: 14000, sc: 11000 }; // cost of a stop until one has been measured in this race
const CONDITIONS = { green: "under green", vsc: "under the virtual safety car", sc: "behind the safety car" };
const CLOSE_MS = 1500; // with a smaller margin the order after the stop is uncertain

/** The cost of a stop under the current track status: `{ms, text}`. */
function pitLoss(race) {
  const condition = { 4: "sc", 6: "vsc", 7: "vsc" }[race.track_status] ?? "green";
  const measured = race.pit_loss?.find((each) => each.condition === condition);
  const seconds = ((measured?.loss_ms ?? ASSUMED_MS[condition]) / 1000).toFixed(1);
  const stops = measured && `${measured.stops} ${measured.stops === 1 ? "stop" : "stops"}`;
  return {
    ms: measured?.loss_ms ?? ASSUMED_MS[condition],
    text: measured ? `a stop costs ${seconds} s ${CONDITIONS[condition]}: median of ${stops} in this race` : `assumed: ${seconds} s ${CONDITIONS[condition]}; no stop in this race measured yet`,
  };
}

/** Running cars in race order, with `behind`: ms to the leader, where a lap down counts as the leader's last lap time. */
function runningCars(snapshot) {
  const order = raceOrder(snapshot);
  const gaps = gapsToShow(snapshot, order);
  const lap = snapshot.cars[snapshot.head.cars[order[0]]?.driver_number]?.last_lap_ms;
  return order.flatMap((i, place) => {
    const entry = snapshot.head.cars[i];
    const car = snapshot.cars[entry.driver_number] ?? {};
    const { code } = carStatus(car, signalAge(snapshot, i), 0);
    if (code === "retired" || code === "out" || code === "finished" || code === "grid") return [];
    const rest = place === 0 ? 0 : gaps.get(i).gap.ms ?? snapshot.gap[i];
    if (rest == null || (car.laps_down && !lap)) return [];
    return [{ entry, position: car.position, inPit: code === "pit", behind: rest + (car.laps_down ?? 0) * (lap ?? 0) }];
  });
}

/**
 * Where `car` would be after losing `loss` ms: `{position, ahead, margin, behind, room}`. `ahead` and `behind` are the
 * cars around it or null, `margin` and `room` the ms to them.
 */
function projectRejoin(cars, car, loss) {
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

  render({ snapshot }) {
    const { race } = snapshot;
    const cars = race.part == null && !race.ended ? runningCars(snapshot) : [];
    const loss = pitLoss(race);
    const note = cars.length ? loss.text : race.part == null ? "" : "in a race only";
    if (byId("pit-window-loss").textContent !== note) byId("pit-window-loss").textContent = note;
    const selected = (car) => this.selection.has(car.entry.driver_number);
    const listed = cars.filter((car) => !car.inPit).sort((a, b) => selected(b) - selected(a) || a.behind - b.behind);
    const rows = listed.map((car) => {
      const { position, ahead, margin, behind, room } = projectRejoin(cars, car, loss.ms);
      return {
        entry: car.entry, from: `from P${car.position}`, selected: selected(car), rejoin: `P${position}`,
        behind: ahead ? `${ahead.entry.tla} ${gap(margin, 0)}` : "nobody", behindIsClose: margin !== null && margin < CLOSE_MS,
        ahead: behind ? `${behind.entry.tla} ${lapTime(room)}` : "nobody", aheadIsClose: room !== null && room < CLOSE_MS,
      };
    });
    const shown = JSON.stringify(rows);
    if (shown === this.shown) return;
    this.shown = shown;
    updateRows(byId("pit-window-rows"), rows.map(renderRow));
  }
}

function renderRow(row) {
  const { entry } = row;
  const node = element("tr", "", [driverCell(entry.tla, entry.name, entry.team), cell("rejoin", row.rejoin), cell("behind", row.behind), cell("ahead", row.ahead)]);
  const [, rejoin, behind, ahead] = node.cells;
  node.dataset.key = entry.driver_number;
  rejoin.title = row.from;
  if (row.behindIsClose) behind.className = "close";
  if (row.aheadIsClose) ahead.className = "close";
  node.style.setProperty("--team", teamColor(entry.team_color));
  return node;
}
