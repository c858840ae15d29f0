/**
 * What must hold at every step of a simulated world, whatever goes wrong in it. A check that fails throws a
 * `Violation`, which names the checker, the device and what was expected. docs/TESTING.md states the bounds.
 */
import { failurePenaltyMsMax, fetchesMax, holdersMax } from "../core/peers/holders.ts";
import { rosterDevicesMax } from "../core/peers/roster.ts";
import { timing } from "../core/timing.ts";
import { headerAt } from "../wire/layout.ts";
import { limits } from "../wire/index.ts";
import { Circumstances } from "./circumstances.ts";
import { receptionBytesMax } from "./desk.ts";
import type { Env } from "./env.ts";
import type { Machine } from "./machine.ts";
import type { Session } from "./session.ts";
import type { ChunkOrigin, Store } from "./store.ts";
import { Violation } from "./violation.ts";

/** After the last fault: so soon every living device is complete. The source's "failed alike" lasts five minutes. */
export const completeWithinMs = 480_000;
/** A representative that can ask the source holds the lease, or leads no longer, within this time: one renewal. */
export const leaseKnownWithinMs = 4_500;
/** From hearing something to acting on it. */
const answerMs = 1_000;
const effectsMax = 64;

export class Checks {
  readonly circumstances: Circumstances;
  /** Whoever does something just now. */
  acting: Machine | null = null;
  /** Of each subnet: chunks that crossed the WAN, and of these what another living device held just then. */
  readonly wan: { chunks: number; held: number }[];
  datagrams = 0;
  readonly #env: () => Env;
  /** Who leads each subnet, since when. */
  readonly #leaders: Map<Machine, number>[];
  /** Last sequence of each sender in each session. */
  readonly #sequences = new Map<string, number>();
  /** When a machine accepted a chunk. */
  readonly #acceptedAtMs = new Map<number, number>();
  /** Since when a representative downloads that does not hold the lease. */
  readonly #withoutLeaseSinceMs = new Map<Machine, number>();

  /** Of each chunk on each subnet: its last deputy, and who led then. */
  readonly #entrusted = new Map<number, { deputy: Machine; leader: Machine | undefined; atMs: number }>();

  constructor(subnets: number, env: () => Env) {
    this.#env = env;
    this.circumstances = new Circumstances(subnets, env);
    this.#leaders = Array.from({ length: subnets + 1 }, () => new Map());
    this.wan = Array.from({ length: subnets + 1 }, () => ({ chunks: 0, held: 0 }));
  }

  get #nowMs(): number {
    return this.#env().clock.nowMs;
  }

  fail(checker: string, machine: Machine | null, message: string): never {
    throw new Violation(checker, machine?.name ?? "-", this.#nowMs, message);
  }

  note(machine: Machine, event: string, detail: string): void {
    const { history, machines } = this.#env();
    const named = detail.replaceAll(/0{8}[0-9a-f]{8}/g, (id) => machines[parseInt(id, 16) - 1]?.name ?? id);
    history.add(this.#nowMs, {
      subnet: machine.subnet,
      device: machine.name,
      role: machine.life?.role ?? "off",
      term: machine.life?.session?.member.term ?? 0,
      held: machine.life?.store.verified.count ?? 0,
      event,
      detail: named,
    });
  }

  // ---- bytes --------------------------------------------------------------------------------------------------

  accepted(machine: Machine, chunk: number, bytes: Uint8Array, origin: ChunkOrigin): void {
    const { content } = this.#env();
    if (!content.isTrue(chunk, bytes))
      this.fail("wrong bytes", machine, `chunk ${chunk} from ${origin} was accepted, its bytes are wrong`);
    this.#acceptedAtMs.set(machine.index * content.chunkCount + chunk, this.#nowMs);
    this.#env().history.mix(chunk * 4_096 + machine.index);
  }

  /** @param wasComplete already in an earlier life: nothing was read back now */
  completed(machine: Machine, wasComplete: boolean): void {
    const { content } = this.#env();
    const { disk } = machine;
    const { readBack } = machine.life!.store;
    for (let chunk = 0; chunk < content.chunkCount; chunk++) {
      if (!disk.ledger.has(chunk))
        this.fail("complete", machine, `complete, but the ledger does not list chunk ${chunk}`);
      // What rots after it was read back is found by a later check.
      const isTrue = wasComplete || readBack.has(chunk) || content.isTrue(chunk, disk.read(chunk));
      if (!isTrue) this.fail("complete", machine, `complete, but chunk ${chunk} is wrong on the disk`);
    }
    this.note(machine, "complete", originsText(machine.life!.store));
  }

  // ---- the wire -----------------------------------------------------------------------------------------------

  sent(machine: Machine, datagram: Uint8Array): void {
    this.datagrams++;
    if (datagram.length > limits.datagramMaxBytes)
      this.fail("limits", machine, `a datagram of ${datagram.length} bytes`);
    const name = datagram.subarray(headerAt.session, headerAt.sender + 8).toHex();
    const sequence = new DataView(datagram.buffer, datagram.byteOffset).getUint32(headerAt.sequence);
    const last = this.#sequences.get(name) ?? -1;
    if (sequence <= last)
      this.fail("nonce", machine, `sequence ${sequence} after ${last}: the nonce was used before`);
    this.#sequences.set(name, sequence);
    this.#env().history.mix(sequence * 256 + machine.index);
  }

  // ---- sessions -----------------------------------------------------------------------------------------------

  stepped(session: Session, effects: number): void {
    const { machine, member, desk, env } = session;
    const bound = (what: string, count: number, max: number): void => {
      if (count > max) this.fail("bounds", machine, `${what}: ${count}, at most ${max}`);
    };
    bound("effects of one step", effects, effectsMax);
    bound(
      "bytes of half-received chunks",
      desk.reception.memoryBytes,
      receptionBytesMax + env.options.chunkBytes,
    );
    bound("holders", member.holders.count, holdersMax);
    bound("fetches under way", member.holders.fetching, fetchesMax);
    bound("devices in the roster", member.roster.size, rosterDevicesMax);
    const leads = member.role === "representative" && !session.isClosed;
    if (!leads) this.#withoutLeaseSinceMs.delete(machine);
    this.#countLeaders(machine, leads);
  }

  #countLeaders(machine: Machine, leads: boolean): void {
    const leaders = this.#leaders[machine.subnet]!;
    if (!leads) return void leaders.delete(machine);
    if (!leaders.has(machine)) leaders.set(machine, this.#nowMs);
    for (const other of leaders.keys()) if (other !== machine) this.#checkOverlap(machine, other);
  }

  /** Two that lead one subnet find out by hearing each other, or by asking the source. */
  #checkOverlap(a: Machine, b: Machine): void {
    if (!a.isRunning || !b.isRunning) return;
    const { circumstances } = this;
    const leaders = this.#leaders[a.subnet]!;
    const steadyMs = Math.max(circumstances.steadySinceMs(a), circumstances.steadySinceMs(b));
    const sinceMs = Math.max(leaders.get(a)!, leaders.get(b)!, steadyMs);
    const announcements = 1 + circumstances.rounds(a.subnet);
    const heardMs = circumstances.canTalk(a, b)
      ? timing.announceEveryMs * announcements + answerMs
      : Infinity;
    const askedMs = circumstances.canAsk(a) && circumstances.canAsk(b) ? leaseKnownWithinMs : Infinity;
    if (this.#nowMs <= sinceMs + Math.min(heardMs, askedMs)) return;
    const forMs = Math.round(this.#nowMs - sinceMs);
    this.fail("one leader", a, `leads together with ${b.name} for ${forMs} ms, with nothing in the way`);
  }

  /** The machine leads no session any more, wherever it was. */
  leadsNothing(machine: Machine): void {
    for (const leaders of this.#leaders) leaders.delete(machine);
  }

  // ---- the WAN ------------------------------------------------------------------------------------------------

  wanBegins(session: Session, chunk: number): void {
    const { machine } = session;
    this.#checkLease(session);
    const holder = this.#env().machines.find((other) => this.#couldServe(session, other, chunk));
    if (!holder) return;
    const message = `chunk ${chunk} crosses the WAN, although ${holder.name} on the same subnet could have given it`;
    this.fail("wan", machine, message);
  }

  wanReceived({ machine }: Session, chunk: number): void {
    const account = this.wan[machine.subnet]!;
    account.chunks++;
    const isHeld = (other: Machine): boolean =>
      other !== machine && other.subnet === machine.subnet && other.life?.store.verified.has(chunk) === true;
    if (this.#env().machines.some(isHeld)) account.held++;
  }

  /** Has `other` held the chunk for so long that the downloading one must know, with nothing in the way? */
  #couldServe({ machine, download }: Session, other: Machine, chunk: number): boolean {
    if (other === machine || other.subnet !== machine.subnet || !other.isRunning || other.isBad) return false;
    if (!other.life!.store.verified.has(chunk) || !this.circumstances.canTalk(machine, other)) return false;
    const { content } = this.#env();
    const sinceMs = Math.max(
      this.#acceptedAtMs.get(other.index * content.chunkCount + chunk) ?? 0,
      this.circumstances.steadySinceMs(machine),
      this.circumstances.steadySinceMs(other),
      download.sinceMs ?? 0,
    );
    const askedMs = timing.wantEveryMs * (1 + this.circumstances.rounds(machine.subnet));
    const shunnedMs = this.circumstances.mayBeShunned(other) ? failurePenaltyMsMax : 0;
    if (this.#nowMs < sinceMs + askedMs + shunnedMs) return false;
    return content.isTrue(chunk, other.disk.read(chunk));
  }

  /** A representative uses the WAN under a lease, unless it cannot ask for one. */
  #checkLease({ machine, member }: Session): void {
    const holds = this.#env().source.holderOn(machine.subnet) === machine.id;
    if (holds || member.role !== "representative" || !this.circumstances.canAsk(machine))
      return void this.#withoutLeaseSinceMs.delete(machine);
    const knownMs = this.#withoutLeaseSinceMs.get(machine);
    if (knownMs === undefined) return void this.#withoutLeaseSinceMs.set(machine, this.#nowMs);
    const sinceMs = Math.max(knownMs, this.circumstances.steadySinceMs(machine));
    if (this.#nowMs <= sinceMs + leaseKnownWithinMs) return;
    const forMs = Math.round(this.#nowMs - sinceMs);
    this.fail("lease", machine, `downloads for ${forMs} ms without the lease, though the source answers`);
  }

  // ---- the LAN ------------------------------------------------------------------------------------------------

  /** A chunk came by unicast to a deputy: twice on one subnet only when something is in the way. */
  entrusted({ machine, member }: Session, chunk: number): void {
    const { content, machines } = this.#env();
    const leads = member.state.role === "peer" ? member.state.leader.device : "";
    const leader = machines.find(({ id }) => id === leads);
    const key = machine.subnet * content.chunkCount + chunk;
    const before = this.#entrusted.get(key);
    this.#entrusted.set(key, { deputy: machine, leader, atMs: this.#nowMs });
    if (!leader || before?.leader !== leader || before.deputy === machine) return;
    // Where datagrams are lost, polls and chunks are late as well.
    if (this.circumstances.rounds(machine.subnet) > 1) return;
    const { deputy } = before;
    // By then a deputy that seemed to take nothing is not waited for any more.
    const isCalm = (each: Machine): boolean =>
      each.isRunning &&
      each.subnet === machine.subnet &&
      this.circumstances.steadySinceMs(each) <= before.atMs - timing.standbyIdleMs &&
      this.circumstances.canTalk(each, leader);
    if (![machine, leader, deputy].every(isCalm) || !content.isTrue(chunk, deputy.disk.read(chunk))) return;
    this.fail("deputy", machine, `takes chunk ${chunk} by unicast, which ${deputy.name} took as deputy`);
  }

  // ---- the end ------------------------------------------------------------------------------------------------

  /** The network has been quiet for `completeWithinMs`. */
  atRest(): void {
    for (const machine of this.#env().machines) {
      if (!machine.life || machine.subnet === 0 || machine.life.stage === "ended") continue;
      if (this.#isHopeless(machine)) continue;
      const { store, stage, session } = machine.life;
      const what = `holds ${store.verified.count} of ${store.verified.size} chunks`;
      this.fail("all complete", machine, `${what} (${session?.member.role ?? stage})`);
    }
  }

  /** By the setting's own will: nobody who lives may fetch anything over the WAN. */
  #isHopeless({ subnet }: Machine): boolean {
    if (this.#env().options.wanFallback !== "never") return false;
    const living = this.#env().machines.filter((other) => other.subnet === subnet && other.isRunning);
    return living.every((other) => other.life!.stage === "ended" || other.character.weight === 0);
  }

  /** As long again: nobody has anything to do any more. */
  atTheEnd(): void {
    for (const machine of this.#env().machines)
      if (machine.life?.session && machine.subnet !== 0 && !this.#isHopeless(machine))
        this.fail("at rest", machine, `its session goes on as ${machine.life.role}, though all are complete`);
  }
}

/** "9 by multicast, 7 from peers" */
function originsText({ heldAtStart, origins }: Store): string {
  const parts = [
    [heldAtStart, "held at the start"],
    [origins.wan, "over the WAN"],
    [origins.multicast, "by multicast"],
    [origins.peers, "from peers"],
  ] as const;
  return parts
    .filter(([count]) => count > 0)
    .map(([count, how]) => `${count} ${how}`)
    .join(", ");
}
