/**
 * A simulated world: devices on subnets, a source and a web site, on a clock of its own. The decisions, the frames, the
 * seals, the erasure code and the lease are the real ones; what lies around them is made up, and goes wrong on demand.
 *
 * @example
 * const world = new World({ seed: 1, devices: 4 });
 * world.start();
 * world.at(5_000, () => world.crash("B"));
 * world.run(60_000, () => world.allComplete);
 * console.log(world.log.join("\n"));
 */
import { VirtualClock } from "./clock.ts";
import { Checks } from "./checks.ts";
import { Content } from "./content.ts";
import type { Env, WorldOptions } from "./env.ts";
import { History, historyHeader } from "./history.ts";
import { Life } from "./life.ts";
import { Machine, type Character } from "./machine.ts";
import { Network, type Weather } from "./network.ts";
import { Random } from "./random.ts";
import { Source } from "./source.ts";
import { Violation } from "./violation.ts";
import { createSharedCrypto } from "./voice.ts";

export const worldDefaults: WorldOptions = {
  seed: 1,
  devices: 4,
  subnets: 1,
  chunks: 16,
  chunkBytes: 1_024,
  symbolBytes: 128,
  startDelayMs: 2_000,
  useMulticast: true,
  lanRateBps: 100_000,
  wanRateBps: 50_000,
  wanFallback: "last-resort",
  useDeputy: true,
  skewPermille: 0,
  log: true,
  talk: false,
  mutation: null,
};

const usual: Character = {
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
  /** Of what the world does to devices. */
  readonly random: Random;
  readonly #history: History;

  constructor(given: Partial<WorldOptions>) {
    const options = { ...worldDefaults, ...given };
    const { seed, subnets } = options;
    this.options = options;
    this.random = new Random(seed, "world");
    this.#history = new History(options.log);
    const { clock } = this;
    const machines: Machine[] = [];
    this.machines = machines;
    this.network = new Network({
      subnets,
      clock,
      random: new Random(seed, "network"),
      history: this.#history,
    });
    this.source = new Source({
      clock,
      random: new Random(seed, "source"),
      devicesOn: (subnet) => machines.filter((machine) => machine.subnet === subnet).length,
    });
    this.checks = new Checks(subnets, () => env);
    const keys = new Random(seed, "keys");
    const env: Env = {
      options,
      clock,
      history: this.#history,
      network: this.network,
      source: this.source,
      content: new Content(seed, options.chunks, options.chunkBytes),
      crypto: createSharedCrypto(),
      keys: { task: keys.bytes(16), package: keys.bytes(16) },
      checks: this.checks,
      machines,
    };
    for (let index = 0; index < options.devices; index++) machines.push(this.#build(env, index));
    this.#env = env;
  }
  readonly #env: Env;

  #build(env: Env, index: number): Machine {
    const { skewPermille, subnets } = env.options;
    const rate = 1 + (this.random.between(-1, 1) * skewPermille) / 1_000;
    const machine = new Machine(env, index, usual, rate);
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

  on(subnet: number): Machine[] {
    return this.machines.filter((machine) => machine.subnet === subnet);
  }

  representatives(subnet = 1): Machine[] {
    return this.on(subnet).filter((machine) => machine.life?.session?.member.role === "representative");
  }

  /** Of the devices whose agent runs. */
  get allComplete(): boolean {
    return this.machines.every(({ life }) => life === null || life.stage === "ended");
  }

  /** Every session is over too. */
  get isAtRest(): boolean {
    return this.machines.every(
      ({ life }) => life === null || (life.stage === "ended" && life.session === null),
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
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      throw new Violation("exception", this.checks.acting?.name ?? "-", this.nowMs, text);
    }
  }

  // ---- what happens to devices ----------------------------------------------------------------------------------

  #note(machine: Machine, event: string, detail = ""): void {
    this.checks.note(machine, event, detail);
  }

  /** A line about the world itself. */
  say(event: string, detail: string, subnet: number | null = null): void {
    this.#history.add(this.nowMs, { subnet, device: "-", role: "-", term: 0, held: 0, event, detail });
    if (subnet === null)
      for (let each = 0; each <= this.options.subnets; each++) this.checks.circumstances.disturb(each);
    else this.checks.circumstances.disturb(subnet);
  }

  /** Starts the agents of these devices, of all that do not run without names. */
  start(...names: string[]): void {
    const machines = names.length > 0 ? names.map((name) => this.device(name)) : this.machines;
    for (const machine of machines) {
      if (machine.life) continue;
      const life = new Life(this.#env, machine);
      machine.begin(life);
      this.#note(machine, "start");
      this.checks.acting = machine;
      life.start();
    }
  }

  /** "process": the agent is killed. "power": so is the machine, with what its disk had not written yet. */
  crash(name: string, kind: "process" | "power" = "process"): void {
    const machine = this.device(name);
    if (!machine.life) return;
    this.#note(machine, "crash", kind === "process" ? "the agent is killed" : "power is cut");
    this.checks.leadsNothing(machine);
    machine.end();
    machine.state = "up";
    if (kind === "power") machine.disk.cutPower(machine.random);
  }

  stop(name: string): void {
    const machine = this.device(name);
    if (!machine.isRunning) return;
    this.#note(machine, "stop", "the agent ends in good order");
    machine.life!.closeSession("the agent stops");
    this.checks.leadsNothing(machine);
    machine.end();
  }

  /** Its loop does not run for so long; its kernel keeps a few datagrams. */
  stall(name: string, forMs: number): void {
    const machine = this.device(name);
    if (!machine.isRunning) return;
    this.#note(machine, "stall", `${Math.round(forMs)} ms`);
    machine.freeze("stalled");
    this.clock.at(forMs, () => machine.thaw());
  }

  /** It hears nothing for so long. @param countsTime its clock goes on meanwhile */
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
    this.checks.leadsNothing(machine);
    machine.move(0);
    machine.life?.leaveSubnet("leaves the LAN");
  }

  join(name: string, subnet: number): void {
    const machine = this.device(name);
    if (machine.subnet === subnet) return;
    if (machine.subnet !== 0) this.leave(name);
    machine.move(subnet);
    this.#note(machine, "join", `subnet ${subnet}`);
    machine.life?.arriveOnSubnet();
  }

  /** Its clock goes on so much later. */
  jump(name: string, byMs: number): void {
    const machine = this.device(name);
    this.#note(machine, "clock", `+${Math.round(byMs)} ms`);
    machine.jump(byMs);
    machine.disturb();
  }

  fillDisk(name: string, isFull: boolean): void {
    const machine = this.device(name);
    this.#note(machine, "disk", isFull ? "is full" : "has room again");
    machine.disk.isFull = isFull;
    machine.disturb();
  }

  /** A bit flips in a chunk that is on its disk. */
  rot(name: string, chunk: number): void {
    const machine = this.device(name);
    if (machine.disk.rot(chunk, machine.random)) this.#note(machine, "bit rot", `chunk ${chunk}`);
  }

  /** From now on it serves wrong bytes to whoever asks for a chunk. */
  turnBad(name: string): void {
    const machine = this.device(name);
    this.#note(machine, "bad peer", "serves wrong bytes");
    machine.isBad = true;
  }

  /** The switch forgets the group behind its port. */
  prune(name: string, what: "all" | "symbols" | "nothing"): void {
    const machine = this.device(name);
    this.#note(machine, "prune", what);
    if (what === "nothing") this.network.pruned.delete(machine.index);
    else this.network.pruned.set(machine.index, what);
    machine.disturb();
  }

  /** Two parts of a subnet that do not hear each other. Those not named are the other part. */
  partition(subnet: number, ...names: string[]): void {
    this.say("partition", `${names.join(" ")} | the others`, subnet);
    const [inside, outside] = [true, false].map((is) =>
      this.on(subnet).filter((machine) => names.includes(machine.name) === is),
    );
    for (const a of inside!)
      for (const b of outside!) {
        this.network.cut(a, b);
        this.network.cut(b, a);
      }
  }

  /** Nothing gets from one to the other; back it does. */
  oneWay(from: string, to: string): void {
    this.say("one-way", `nothing gets from ${from} to ${to}`, this.device(from).subnet);
    this.network.cut(this.device(from), this.device(to));
  }

  /** Cables and switches are whole again. */
  mend(): void {
    this.say("mended", "every cable and switch");
    this.network.mendAll();
    this.network.pruned.clear();
  }

  weather(subnet: number, change: Partial<Weather>): void {
    const text = Object.entries(change).map(([name, value]) => `${name} ${value}`);
    this.say("weather", text.join(", "), subnet);
    Object.assign(this.network.weather[subnet]!, change);
  }

  setSource(state: Source["state"]): void {
    this.say("source", state);
    this.source.state = state;
  }

  /** An administrator changes the setting while sessions run. */
  setMulticast(isOn: boolean): void {
    this.say("setting", `useMulticast=${isOn}`);
    this.options.useMulticast = isOn;
  }

  /** Somebody sets its clock. */
  setSourceClock(byMs: number): void {
    this.say("source clock", `${Math.round(byMs)} ms`);
    this.source.clockOffsetMs += byMs;
  }

  setWeb(state: Source["web"]): void {
    this.say("web site", state);
    this.source.web = state;
  }

  /** The subnet's line to the WAN. */
  setLine(subnet: number, state: "up" | "cut"): void {
    this.say("WAN line", state, subnet);
    if (state === "cut") this.source.cutOff.add(subnet);
    else this.source.cutOff.delete(subnet);
  }
}
