/**
 * A year of a source and its machines, day by day. On each day first happens what is planned, then
 * the administrator works, then every machine that is on checks in once.
 */
import { seededRandom, shuffle } from "../../shared/model/random.ts";
import { Administrator } from "./administrator.ts";
import { Fleet } from "./fleet.ts";
import { emptyFolder, type Machine } from "./machine.ts";
import * as plan from "./plan.ts";
import { ReportBook } from "./reports.ts";
import type { FleetSource } from "./source.ts";

const hourMs = 3_600_000;
/** From this day on every machine is on each day. */
const allOnDay = 345;

export class FleetYear {
  readonly source: FleetSource;
  readonly book = new ReportBook();
  readonly fleet: Fleet;
  readonly administrator: Administrator;
  readonly #random: () => number;
  readonly #startMs: number;
  readonly #plan: ReadonlyMap<number, readonly plan.Event[]>;
  day = 0;

  constructor(source: FleetSource, seed: number) {
    this.source = source;
    this.#random = seededRandom(seed);
    this.#startMs = source.clock.nowMs;
    this.#plan = plan.planOf(this.#random);
    this.fleet = new Fleet(source, this.book, seed, this.#random);
    this.administrator = new Administrator(source, this.book, this.fleet);
  }

  /** Does one day. @returns problems; `check` looks for them once a week */
  async nextDay(check: () => Promise<string[]>): Promise<string[]> {
    const { fleet, administrator, source } = this;
    this.#setTime(6 * hourMs);
    for (const event of this.#plan.get(this.day) ?? []) await this.#happen(event);
    this.#setTime(7 * hourMs);
    await administrator.work(this.day);
    this.#setTime(8 * hourMs);
    const isOn = fleet.running.filter((machine) => this.#isOn(machine));
    fleet.turnOn(isOn);
    for (const machine of shuffle([...isOn], this.#random)) {
      source.clock.nowMs += 60_000;
      if (this.#random() < 0.1) fleet.agentOf(machine).restart();
      await fleet.checkIn(machine);
      if (this.#random() < 0.05) await source.doPeriodicWork();
    }
    this.#setTime(23 * hourMs);
    await source.doPeriodicWork();
    const problems: string[] = [];
    if (this.day % 7 === 6) {
      await administrator.tidy();
      problems.push(...(await administrator.wan.problems(source.admin)), ...(await check()));
    }
    this.day++;
    return problems.map((problem) => `day ${this.day - 1}: ${problem}`);
  }

  #setTime(ofDayMs: number): void {
    this.source.clock.nowMs = this.#startMs + this.day * plan.dayMs + ofDayMs;
  }

  #isOn(machine: Machine): boolean {
    if (this.day >= allOnDay) return true;
    if (this.#random() < 0.004) machine.offUntilDay = this.day + 5 + Math.floor(this.#random() * 16);
    return this.day >= machine.offUntilDay && this.#random() < (this.day % 7 < 5 ? 0.75 : 0.15);
  }

  async #happen(event: plan.Event): Promise<void> {
    const machine = this.fleet.machines[event.machine]!;
    switch (event.kind) {
      case "enrol":
        machine.service = "in-service";
        return;
      case "vanish":
        machine.service = "gone";
        return;
      case "move":
        machine.subnet = event.subnet;
        machine.checkIns = [];
        return;
      case "fate":
        machine.fate = event.fate;
        return;
      case "reinstall":
        this.fleet.agentOf(machine).restart();
        machine.folder = emptyFolder();
        machine.installation++;
        return;
      case "clone":
        this.fleet.copy(machine, Math.floor(this.#random() * plan.subnetsCount));
        return;
      case "retire":
        machine.service = "retired";
        return;
    }
  }

  /** Lets every machine start its agent again and check in. */
  async finish(): Promise<void> {
    await this.source.certificateInUse();
    for (const machine of this.fleet.running) {
      this.source.clock.nowMs += 1_000;
      this.fleet.agentOf(machine).restart();
      await this.fleet.checkIn(machine);
    }
    await this.source.doPeriodicWork();
  }

  close(): void {
    this.fleet.close();
  }
}
