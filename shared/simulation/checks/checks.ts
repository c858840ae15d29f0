/**
 * Invariants of a simulated world, checked at every event whatever faults it has. This file passes
 * events to the checkers, one in each file of the folder. A violation names the checker, the device
 * and the broken invariant, and ends the world after the event. docs/TESTING.md states the bounds.
 */
import type { ChunkOrigin, ChunkRow } from "../../cache/index.ts";
import type { Ranges } from "../../model/chunk-set.ts";
import type { Machine } from "../machine.ts";
import type { MachineName, Observer, StartedCommand } from "../observer.ts";
import { Violation } from "../violation.ts";
import { BoundsCheck } from "./bounds.ts";
import { BytesCheck } from "./bytes.ts";
import type { CheckedWorld } from "./checked-world.ts";
import type { Checker } from "./checker.ts";
import { ClaimsCheck } from "./claims.ts";
import { CommandsCheck } from "./commands.ts";
import { CompletionCheck } from "./completion.ts";
import { GuardsCheck } from "./guards.ts";
import { LeadershipCheck } from "./leadership.ts";
import { Reachability } from "./reachability.ts";
import { StandbyCheck } from "./standby.ts";
import { WanCheck } from "./wan.ts";
import { WireCheck } from "./wire.ts";

/** Checkers that the world itself does not use. */
type InnerCheckers = {
  readonly bytes: BytesCheck;
  readonly bounds: BoundsCheck;
  readonly claims: ClaimsCheck;
  readonly guards: GuardsCheck;
  readonly leadership: LeadershipCheck;
  readonly standby: StandbyCheck;
};

export class Checks implements Observer {
  readonly reachability: Reachability;
  readonly commands: CommandsCheck;
  readonly completion: CompletionCheck;
  readonly wan: WanCheck;
  readonly wire: WireCheck;
  readonly #inner: InnerCheckers;
  readonly #world: CheckedWorld;
  /** Machine whose code the current event runs. */
  #acting: Machine | null = null;
  /** First violation. Thrown after the event: inside, a promise of the device could catch it. */
  #violation: Violation | null = null;

  constructor(world: CheckedWorld) {
    this.#world = world;
    this.reachability = new Reachability(world);
    const checker: Checker = {
      world,
      reachability: this.reachability,
      fail: (name, machine, message) => this.#fail(name, machine, message),
    };
    this.completion = new CompletionCheck(checker);
    this.wire = new WireCheck(checker);
    this.commands = new CommandsCheck(checker);
    this.#inner = {
      bytes: new BytesCheck(checker),
      bounds: new BoundsCheck(checker),
      claims: new ClaimsCheck(checker),
      guards: new GuardsCheck(checker),
      leadership: new LeadershipCheck(checker),
      standby: new StandbyCheck(checker),
    };
    this.wan = new WanCheck(checker, this.#inner.bytes);
  }

  #fail(checker: string, machine: MachineName | null, message: string): void {
    this.#violation ??= new Violation(checker, machine?.name ?? "-", this.#world.clock.nowMs, message);
  }

  #machine({ index }: MachineName): Machine {
    return this.#world.machines[index]!;
  }

  /** Checks the state of the acting machine after an event. @throws Violation */
  settle(): void {
    const machine = this.#acting;
    if (machine?.process) {
      const { process } = machine;
      process.observe();
      this.#inner.leadership.observe(machine, process.session);
      this.#inner.guards.observe(machine, process.session);
      if (process.session) this.#inner.bounds.observe(machine, process.session);
    }
    this.throwFound();
  }

  /** Throws the violation that a checker recorded, if any. @throws Violation */
  throwFound(): void {
    if (this.#violation) throw this.#violation;
  }

  /** Records an error that the code of the acting device threw. */
  threw(error: unknown): void {
    this.crashed(this.#acting, error);
  }

  /** Forgets a leader whose machine has left its subnet. */
  stopsLeading(machine: Machine): void {
    this.#inner.leadership.stopsLeading(machine);
  }

  /** Forgets a leader whose process has ended, and the chunks that the process found corrupt. */
  processEnded(machine: Machine): void {
    this.#inner.leadership.stopsLeading(machine);
    this.#inner.claims.forget(machine);
  }

  // ---- events of the world (observer.ts) --------------------------------------------------------

  acts(machine: MachineName): void {
    this.#acting = this.#machine(machine);
  }

  note({ index }: MachineName, event: string, detail: string): void {
    const { history, machines, clock } = this.#world;
    // Device ids become names, for the reader of the history.
    const named = detail.replaceAll(/0{8}[0-9a-f]{8}/g, (id) => machines[parseInt(id, 16) - 1]?.name ?? id);
    const { name, subnet, process } = machines[index]!;
    history.add(clock.nowMs, {
      subnet,
      device: name,
      role: process?.role ?? "off",
      term: process?.session?.member.term ?? 0,
      held: process?.heldCount ?? 0,
      event,
      detail: named,
    });
  }

  crashed(machine: MachineName | null, error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#fail("exception", machine, text);
  }

  sent(machine: MachineName, datagram: Uint8Array): void {
    this.wire.sent(this.#machine(machine), datagram);
  }

  paced(machine: MachineName, bytes: number, rateBps: number): void {
    this.wire.paced(this.#machine(machine), bytes, rateBps);
  }

  statesHeld(machine: MachineName, heldRanges: Ranges, message: string): void {
    this.#inner.claims.statesHeld(this.#machine(machine), heldRanges, message);
  }

  foundCorrupt(machine: MachineName, chunk: number): void {
    this.#inner.claims.foundCorrupt(this.#machine(machine), chunk);
  }

  requestsChunk(machine: MachineName): void {
    this.#inner.leadership.requestsChunk(this.#machine(machine));
    this.#inner.guards.requestsChunk(this.#machine(machine));
  }

  receivedChunk(machine: MachineName, chunk: number, requestedAtMs: number): void {
    this.wan.received(this.#machine(machine), chunk, requestedAtMs);
  }

  verified(name: MachineName, chunk: number, origin: ChunkOrigin | null): void {
    const machine = this.#machine(name);
    this.#inner.claims.forget(machine, chunk);
    this.#inner.bytes.verified(machine, chunk, origin);
    if (origin === "wan") this.wan.stored(machine, chunk);
    if (origin === "peers") this.#inner.standby.fetched(machine, chunk);
  }

  lists(machine: MachineName, packageId: string, rows: readonly ChunkRow[]): void {
    this.#inner.bytes.listed(this.#machine(machine), packageId, rows);
  }

  completes(machine: MachineName, packageId: string): void {
    this.completion.completed(this.#machine(machine), packageId);
  }

  startsCommand(machine: MachineName, command: StartedCommand): void {
    this.commands.started(this.#machine(machine), command);
  }
}
