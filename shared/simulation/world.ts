/**
 * A simulated world: devices on subnets, a source and a web site, on a clock of its own. The devices are the real ones
 * (shared/device) with their cache, their decisions and their frames; the ports around them are simulated, and fail on
 * demand.
 *
 * @example
 * const world = new World({ seed: 1, devices: 4 });
 * world.start();
 * world.at(5_000, () => world.crash("B"));
 * world.run(60_000, () => world.allComplete);
 * console.log(world.log.join("\n"));
 */
import { newTaskRow } from "../device/task-record.ts";
import { Checks } from "./checks/checks.ts";
import type { CheckedWorld } from "./checks/checked-world.ts";
import { VirtualClock } from "./clock.ts";
import type { WorldOptions } from "./context.ts";
import { flipBit } from "./disk-layout.ts";
import { History, historyHeader } from "./history.ts";
import { taskId } from "./layout.ts";
import { Machine, type DeviceProfile } from "./machine.ts";
import { Network, type NetworkConditions } from "./network.ts";
import { Package } from "./package.ts";
import { precache } from "./precache.ts";
import { Process } from "./process.ts";
import { Random } from "./random.ts";
import { createSharedCrypto } from "./shared-crypto.ts";
import { Source, type SourceState, type WebState } from "./source.ts";
import { taskOf } from "./task.ts";
import { Violation } from "./violation.ts";

export const worldDefaults: WorldOptions = {
  seed: 1,
  devices: 4,
  subnets: 1,
  chunks: 16,
  isEven: false,
  chunkBytes: 1_024,
  symbolBytes: 128,
  startDelayMs: 2_000,
  useMulticast: true,
  pausesDownloads: false,
  lanRateBps: 100_000,
  wanRateBps: 50_000,
  webIgnoresRange: false,
  wanFallback: "last-resort",
  useDeputy: true,
  runsCommand: true,
  hasLittleMemory: false,
  skewPermille: 0,
  log: true,
  logsFrames: false,
};

const usualProfile: DeviceProfile = {
  deviceClass: "desktop",
  medium: "wired",
  onBattery: false,
  load: 0.1,
  diskShare: 1,
  weight: 50,
  volunteer: false,
};

export class World {
  readonly options: WorldOptions;
  readonly machines: readonly Machine[];
  readonly network: Network;
  readonly source: Source;
  readonly checks: Checks;
  readonly clock = new VirtualClock();
  readonly #history: History;
  readonly #context: CheckedWorld;
  /** Machines whose agent is started again as soon as it has stopped. */
  readonly #restarting = new Set<Machine>();

  constructor(given: Partial<WorldOptions>) {
    const options = { ...worldDefaults, ...given };
    const { seed, subnets, devices } = options;
    const { clock } = this;
    const machines: Machine[] = [];
    const history = new History(options.log);
    const devicesOn = (subnet: number): number =>
      machines.filter((machine) => machine.subnet === subnet).length;
    const published = new Package(seed, options);
    const keys = new Random(seed, "keys");
    const keysOfTask = { task: keys.bytes(16), package: keys.bytes(16) };
    const context: Omit<CheckedWorld, "observer"> & { observer: Checks | null } = {
      options,
      clock,
      history,
      network: new Network({ subnets, clock, random: new Random(seed, "network"), history }),
      source: new Source({ clock, random: new Random(seed, "source"), devicesOn }),
      package: published,
      crypto: createSharedCrypto(),
      machines,
      taskFor: (weight) => taskOf(options, published, keysOfTask, weight),
      observer: null,
    };
    this.options = options;
    this.machines = machines;
    this.#history = history;
    this.#context = context as CheckedWorld;
    this.network = context.network;
    this.source = context.source;
    this.checks = context.observer = new Checks(this.#context);
    clock.onSettled = () => this.checks.settle();
    const random = new Random(seed, "world");
    for (let index = 0; index < devices; index++) machines.push(this.#build(index, random));
  }

  #build(index: number, random: Random): Machine {
    const { skewPermille, subnets } = this.options;
    const rate = 1 + (random.between(-1, 1) * skewPermille) / 1_000;
    const machine = new Machine(this.#context, index, usualProfile, rate);
    machine.move(1 + (index % subnets));
    this.network.plug(machine);
    return machine;
  }

  // ---- looking ------------------------------------------------------------------------------------------------

  get nowMs(): number {
    return this.clock.nowMs;
  }

  /** Two runs of one seed end with the same. */
  get hash(): string {
    return this.#history.hash;
  }

  get log(): readonly string[] {
    return [historyHeader, ...this.#history.lines];
  }

  /** @param name "A", "B" … */
  device(name: string): Machine {
    const machine = this.machines.find((each) => each.name === name);
    if (!machine) throw new Error(`There is no device "${name}"`);
    return machine;
  }

  machinesOn(subnet: number): Machine[] {
    return this.machines.filter((machine) => machine.subnet === subnet);
  }

  representatives(subnet = 1): Machine[] {
    return this.machinesOn(subnet).filter(
      (machine) => machine.process?.session?.member.role === "representative",
    );
  }

  /** Every device whose agent runs holds every chunk. Its disk, and its command, may still be at work. */
  get allHold(): boolean {
    return this.machines.every(({ process }) => process === null || process.held.isFull);
  }

  /** The task has ended on every device whose agent runs. */
  get allComplete(): boolean {
    return this.machines.every(({ process }) => process === null || process.isEnded);
  }

  /** Every session is over too. */
  get isAtRest(): boolean {
    return this.machines.every(
      ({ process }) => process === null || (process.isEnded && process.session === null),
    );
  }

  // ---- time ---------------------------------------------------------------------------------------------------

  /** @param atMs since the beginning of the world */
  at(atMs: number, run: () => void): void {
    this.clock.at(Math.max(0, atMs - this.nowMs), run);
  }

  /** Runs until `until` holds or the time is over; returns whether it held. @throws Violation */
  run(limitMs: number, until: () => boolean = () => false): boolean {
    try {
      return this.clock.run(limitMs, until);
    } catch (error) {
      if (error instanceof Violation) throw error;
      this.checks.threw(error);
      this.checks.throwFound();
      throw error;
    }
  }

  // ---- what happens to devices ----------------------------------------------------------------------------------

  #note(machine: Machine, event: string, detail = ""): void {
    this.checks.note(machine, event, detail);
  }

  /** A line about the world itself. */
  #noteWorldEvent(event: string, detail: string, subnet: number | null = null): void {
    this.#history.add(this.nowMs, { subnet, device: "-", role: "-", term: 0, held: 0, event, detail });
    const { reachability } = this.checks;
    if (subnet === null)
      for (let each = 0; each <= this.options.subnets; each++) reachability.noteFault(each);
    else reachability.noteFault(subnet);
  }

  /** Starts the agents of these devices, of all that do not run without names. */
  start(...names: string[]): void {
    const machines = names.length > 0 ? names.map((name) => this.device(name)) : this.machines;
    for (const machine of machines) {
      if (machine.process?.isStopping) this.#restarting.add(machine);
      if (machine.process) continue;
      // The task was given to the device before the world began.
      machine.ledger.giveTask(taskId, newTaskRow(this.#context.taskFor(machine.profile.weight)));
      const process = new Process(this.#context, machine);
      machine.begin(process);
      this.#note(machine, "start");
      this.checks.acts(machine);
      process.start();
    }
  }

  /** The device holds these chunks before its agent starts. */
  precache(name: string, chunks: Iterable<number>): void {
    precache(this.#context, this.device(name), chunks);
  }

  #end(machine: Machine): void {
    machine.end();
    machine.state = "up";
    this.checks.processEnded(machine);
  }

  /** "process": the agent is killed. "power": so is the machine, with what its disk had not synced. */
  crash(name: string, kind: "process" | "power" = "process"): void {
    const machine = this.device(name);
    if (!machine.process) return;
    this.#note(machine, "crash", kind === "process" ? "the agent is killed" : "power is cut");
    this.#end(machine);
    this.#restarting.delete(machine);
    if (kind === "process") return;
    machine.ledger.cutPower(machine.random);
    machine.disk.cutPower(machine.random);
  }

  /** Calls `run` once, when the device's next command starts. */
  onCommand(name: string, run: () => void): void {
    this.checks.commands.onStarted(this.device(name), run);
  }

  stop(name: string): void {
    const machine = this.device(name);
    const { process } = machine;
    if (!process || !machine.isRunning || process.isStopping) return;
    this.#note(machine, "stop", "the agent ends in good order");
    this.checks.acts(machine);
    void process.stop().then(
      () => {
        this.#end(machine);
        if (this.#restarting.delete(machine)) this.start(name);
      },
      (error: unknown) => this.checks.crashed(machine, error),
    );
  }

  /** Its loop does not run for so long; its kernel keeps a few datagrams. */
  stall(name: string, forMs: number): void {
    const machine = this.device(name);
    if (!machine.isRunning) return;
    this.#note(machine, "stall", `${Math.round(forMs)} ms`);
    machine.freeze("stalled");
    this.clock.at(forMs, () => machine.thaw());
  }

  /** It receives nothing for so long. @param countsTime its clock goes on meanwhile */
  sleep(name: string, forMs: number, countsTime = true): void {
    const machine = this.device(name);
    if (!machine.isRunning) return;
    this.#note(machine, "sleep", `${Math.round(forMs)} ms`);
    machine.freeze("asleep");
    if (!countsTime) machine.jump(-forMs * machine.clockRate);
    this.clock.at(forMs, () => {
      if (machine.state !== "asleep") return;
      this.#note(machine, "wake");
      machine.thaw();
    });
  }

  /** Its cable is pulled: it can say goodbye to nobody. */
  leave(name: string): void {
    const machine = this.device(name);
    if (machine.subnet === 0) return;
    this.#note(machine, "leave", `subnet ${machine.subnet}`);
    this.checks.stopsLeading(machine);
    machine.move(0);
    machine.process?.leaveSubnet("leaves the LAN");
  }

  join(name: string, subnet: number): void {
    const machine = this.device(name);
    if (machine.subnet === subnet) return;
    if (machine.subnet !== 0) this.leave(name);
    machine.move(subnet);
    this.#note(machine, "join", `subnet ${subnet}`);
    machine.process?.arriveOnSubnet();
  }

  /** Its clock goes on so much later. */
  jump(name: string, byMs: number): void {
    const machine = this.device(name);
    this.#note(machine, "clock", `+${Math.round(byMs)} ms`);
    machine.jump(byMs);
    machine.noteFault();
  }

  fillDisk(name: string, isFull: boolean): void {
    const machine = this.device(name);
    this.#note(machine, "disk", isFull ? "is full" : "has room again");
    machine.disk.isFull = isFull;
    machine.noteFault();
  }

  /** @param writeMs milliseconds that each write takes; 0: as before */
  slowDisk(name: string, writeMs: number): void {
    const machine = this.device(name);
    this.#note(
      machine,
      "disk",
      writeMs > 0 ? `takes ${Math.round(writeMs)} ms for a write` : "is fast again",
    );
    machine.disk.writeMs = writeMs;
    machine.noteFault();
  }

  /** @param rateBps at which its port takes datagrams; null: as fast as they come */
  slowPort(name: string, rateBps: number | null): void {
    const machine = this.device(name);
    this.#note(machine, "port", rateBps === null ? "is fast again" : `takes ${Math.round(rateBps)} bit/s`);
    machine.portBps = rateBps;
    machine.noteFault();
  }

  /** A bit flips in a chunk that it holds on its disk. */
  flipBit(name: string, chunk: number): void {
    const machine = this.device(name);
    if (machine.process?.held.has(chunk) !== true) return;
    this.#note(machine, "bit flip", `chunk ${chunk}`);
    flipBit(this.#context, machine, chunk);
  }

  /** From now on it serves wrong bytes to every device that asks for a chunk. */
  turnBad(name: string): void {
    const machine = this.device(name);
    this.#note(machine, "bad peer", "serves wrong bytes");
    machine.isBad = true;
  }

  /** The switch prunes the group behind its port. */
  prune(name: string, what: "all" | "symbols" | "nothing"): void {
    const machine = this.device(name);
    this.#note(machine, "prune", what);
    if (what === "nothing") this.network.pruned.delete(machine.index);
    else this.network.pruned.set(machine.index, what);
    machine.noteFault();
  }

  // ---- what happens to the network and to the source ------------------------------------------------------------

  /** Two parts of a subnet that do not receive each other's frames. Those not named are the other part. */
  partition(subnet: number, ...names: string[]): void {
    this.#noteWorldEvent("partition", `${names.join(" ")} | the others`, subnet);
    const [inside, outside] = [true, false].map((is) =>
      this.machinesOn(subnet).filter((machine) => names.includes(machine.name) === is),
    );
    for (const a of inside!)
      for (const b of outside!) {
        this.network.cut(a, b);
        this.network.cut(b, a);
      }
  }

  /** Nothing passes from one to the other; the other direction works. */
  oneWay(from: string, to: string): void {
    this.#noteWorldEvent("one-way", `nothing passes from ${from} to ${to}`, this.device(from).subnet);
    this.network.cut(this.device(from), this.device(to));
  }

  /** Cables and switches work again. */
  repairNetwork(): void {
    this.#noteWorldEvent("repaired", "every cable and switch");
    this.network.repairAll();
    this.network.pruned.clear();
  }

  conditions(subnet: number, change: Partial<NetworkConditions>): void {
    const text = Object.entries(change).map(([name, value]) => `${name} ${value}`);
    this.#noteWorldEvent("conditions", text.join(", "), subnet);
    Object.assign(this.network.conditions[subnet]!, change);
  }

  setSource(state: SourceState): void {
    this.#noteWorldEvent("source", state);
    this.source.state = state;
  }

  /** An administrator changes the setting while sessions run. Every device has it at once. */
  changeSetting(change: Partial<Pick<WorldOptions, "useMulticast" | "pausesDownloads">>): void {
    this.#noteWorldEvent(
      "setting",
      Object.entries(change)
        .map(([name, value]) => `${name}=${value}`)
        .join(", "),
    );
    Object.assign(this.options, change);
    for (const machine of this.machines) {
      if (!machine.process) continue;
      this.checks.acts(machine);
      machine.process.onSettingChange();
    }
  }

  /** Somebody sets its clock. */
  setSourceClock(byMs: number): void {
    this.#noteWorldEvent("source clock", `${Math.round(byMs)} ms`);
    this.source.clockOffsetMs += byMs;
  }

  setWeb(state: WebState): void {
    this.#noteWorldEvent("web site", state);
    this.source.web = state;
  }

  /** The subnet's line to the WAN. */
  setLine(subnet: number, state: "up" | "cut"): void {
    this.#noteWorldEvent("WAN line", state, subnet);
    if (state === "cut") this.source.cutOff.add(subnet);
    else this.source.cutOff.delete(subnet);
  }
}
