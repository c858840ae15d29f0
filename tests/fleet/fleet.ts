/**
 * The machines of the year with their agents. The fleet knows what the source does not: which
 * machine got which device id, and which machines are on today.
 */
import { createHash } from "node:crypto";
import type { AgentTask } from "../../shared/api/schema/agent.ts";
import { FleetAgent, type Place } from "./agent.ts";
import { copyOf, deviceIdOf, newMachine, taskName, type Machine } from "./machine.ts";
import * as plan from "./plan.ts";
import type { ReportBook } from "./reports.ts";
import type { FleetSource } from "./source.ts";

const failedShare = 0.12;

export const siteOf = ({ subnet }: Pick<Machine, "subnet">): string =>
  plan.sites[subnet % plan.sites.length]!;

export class Fleet {
  readonly machines: Machine[] = [];
  /** Machines of each device id that the source ever gave: several after a copy. */
  readonly #owners = new Map<string, Machine[]>();
  readonly counted = { checkIns: 0, unreachable: 0, enrolments: 0 };
  readonly #agents = new Map<Machine, FleetAgent>();
  readonly #seed: number;
  readonly #place: Place;
  #onToday: readonly Machine[] = [];

  constructor(source: FleetSource, book: ReportBook, seed: number, random: () => number) {
    this.#seed = seed;
    this.#place = this.#placeOf(source, book);
    for (let i = 0; i < plan.machinesCount; i++) {
      const machine = newMachine(`pc-${i}`, Math.floor(random() * plan.subnetsCount));
      for (const tag of plan.tagNames) if (random() < 0.35) machine.tags.add(tag);
      this.add(machine);
    }
  }

  #placeOf(source: FleetSource, book: ReportBook): Place {
    return {
      sourceUrl: () => source.url,
      enrollToken: source.enrollToken,
      nowMs: () => source.clock.nowMs,
      exitCodeOf: (machine, task) => Number(this.#drawn(machine, task) < failedShare),
      isOnLan: ({ subnet, name }, packageId) =>
        this.#onToday.some(
          (other) => other.name !== name && other.subnet === subnet && other.folder.packages.has(packageId),
        ),
      onEnrolled: (machine, deviceId) => {
        this.counted.enrolments++;
        this.#own(deviceId, machine);
        book.enrol(deviceId);
      },
      onReported: book.note,
      onUnreachable: () => this.counted.unreachable++,
    };
  }

  #drawn(machine: Machine, task: AgentTask): number {
    const words = `${this.#seed} ${machine.name} ${taskName(task)} ${task.attempt}`;
    return createHash("sha256").update(words).digest().readUInt32BE() / 2 ** 32;
  }

  add(machine: Machine): void {
    this.machines.push(machine);
    this.#agents.set(machine, new FleetAgent(machine, this.#place));
  }

  #own(deviceId: string, machine: Machine): void {
    const owners = this.ownersOf(deviceId);
    if (!owners.includes(machine)) this.#owners.set(deviceId, [...owners, machine]);
  }

  ownersOf(deviceId: string): readonly Machine[] {
    return this.#owners.get(deviceId) ?? [];
  }

  /** Starts a copy of a machine's disk on other hardware. */
  copy(machine: Machine, subnet: number): void {
    const copy = copyOf(machine, subnet);
    this.add(copy);
    this.#own(deviceIdOf(copy)!, copy);
  }

  agentOf(machine: Machine): FleetAgent {
    return this.#agents.get(machine)!;
  }

  get inService(): Machine[] {
    return this.machines.filter(({ service }) => service === "in-service");
  }

  /** Machines whose agent runs while they are on. */
  get running(): Machine[] {
    return this.machines.filter(({ service }) => service === "in-service" || service === "retired");
  }

  /** Notes which machines are on. */
  turnOn(machines: readonly Machine[]): void {
    this.#onToday = machines;
  }

  async checkIn(machine: Machine): Promise<void> {
    this.counted.checkIns++;
    await this.agentOf(machine).work();
  }

  close(): void {
    for (const agent of this.#agents.values()) agent.close();
  }
}
