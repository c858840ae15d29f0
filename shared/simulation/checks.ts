/**
 * What must hold at every step of a simulated world, whatever goes wrong in it. A check that fails throws a
 * `Violation`, which names the checker, the device and what was expected.
 */
import { failurePenaltyMsMax, fetchesMax, holdersMax } from "../core/holders.ts";
import { rosterDevicesMax } from "../core/roster.ts";
import { timing } from "../core/timing.ts";
import { headerAt } from "../wire/layout.ts";
import { limits } from "../wire/index.ts";
import { receptionBytesMax } from "./desk.ts";
import type { Env } from "./env.ts";
import type { Machine } from "./machine.ts";
import type { Session } from "./session.ts";
import type { ChunkOrigin } from "./store.ts";

/** After the last fault: so soon every living device is complete. The source's "failed alike" lasts five minutes. */
export const completeWithinMs = 480_000;
/** After the last fault: from then on a subnet has one representative at most. */
export const oneLeaderWithinMs = 30_000;
/** Two that led without knowing of each other: the one that the lease is refused steps down. */
export const overlapMsMax = 10_000;
/** A device that is not the lease's holder and can ask the source stops using the WAN within this time. */
export const leaseKnownWithinMs = 15_000;
/** Chance that a false alarm is accepted with: questions and answers are lost at random. */
const falseAlarm = 1e-9;
const effectsMax = 64;

export class Violation extends Error {
  readonly checker: string;
  readonly device: string;
  readonly atMs: number;

  constructor(checker: string, device: string, atMs: number, message: string) {
    super(message);
    this.checker = checker;
    this.device = device;
    this.atMs = atMs;
  }
}

export class Checks {
  /** Whoever does something just now. */
  acting: Machine | null = null;
  /** From then on no fault happens any more; null: unknown. */
  quietAtMs: number | null = null;
  /** Of each subnet: chunks that crossed the WAN, and of these what a living device held. */
  readonly wan: { chunks: number; held: number }[];
  chunksAccepted = 0;
  datagrams = 0;
  readonly #env: () => Env;
  /** Since then nothing about the subnet itself changed. */
  readonly #disturbedAtMs: number[];
  readonly #leaders: Set<Machine>[];
  /** Since when a subnet has several of them. */
  readonly #severalSinceMs = new Map<number, number>();
  /** Last sequence of each sender in each session. */
  readonly #sequences = new Map<string, number>();
  /** When a machine accepted a chunk. */
  readonly #acceptedAtMs = new Map<number, number>();
  /** Since when another device than the holder uses the WAN. */
  readonly #leaseSinceMs = new Map<Machine, { holder: string; sinceMs: number }>();

  constructor(subnets: number, env: () => Env) {
    this.#env = env;
    this.#disturbedAtMs = Array.from({ length: subnets + 1 }, () => 0);
    this.#leaders = Array.from({ length: subnets + 1 }, () => new Set());
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
      event,
      detail: named,
    });
  }

  /** Something happened to the subnet that a protocol has to recover from. */
  disturb(subnet: number): void {
    this.#disturbedAtMs[subnet] = this.#nowMs;
  }

  // ---- bytes --------------------------------------------------------------------------------------------------

  accepted(machine: Machine, chunk: number, bytes: Uint8Array, origin: ChunkOrigin): void {
    const { content } = this.#env();
    this.chunksAccepted++;
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
    this.note(machine, "complete", `${content.chunkCount} chunks`);
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
    this.#countLeaders(machine, member.role === "representative" && !session.isClosed);
  }

  #countLeaders(machine: Machine, leads: boolean): void {
    const leaders = this.#leaders[machine.subnet]!;
    if (leads) leaders.add(machine);
    else leaders.delete(machine);
    if (leaders.size < 2) return void this.#severalSinceMs.delete(machine.subnet);
    const sinceMs = this.#severalSinceMs.get(machine.subnet);
    if (sinceMs === undefined) return void this.#severalSinceMs.set(machine.subnet, this.#nowMs);
    if (this.quietAtMs === null || this.#nowMs < this.quietAtMs + oneLeaderWithinMs) return;
    if (this.#nowMs < sinceMs + overlapMsMax) return;
    const names = [...leaders].map(({ name }) => name).join(", ");
    this.fail(
      "one leader",
      machine,
      `${names} lead on subnet ${machine.subnet} although the network is quiet`,
    );
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
    const message =
      `chunk ${chunk} crosses the WAN, although ${holder.name} on the same subnet has held it for ` +
      `${Math.round(this.#settleMs(machine.subnet) / 1_000)} s and can be reached`;
    this.fail("wan", machine, message);
  }

  wanReceived({ machine }: Session, chunk: number): void {
    const account = this.wan[machine.subnet]!;
    account.chunks++;
    const isHeld = (other: Machine): boolean =>
      other !== machine && other.subnet === machine.subnet && other.life?.store.verified.has(chunk) === true;
    if (this.#env().machines.some(isHeld)) account.held++;
  }

  /** Did `other` have time enough to say that it holds the chunk, with nothing in the way? */
  #couldServe({ machine, download }: Session, other: Machine, chunk: number): boolean {
    const { network, content } = this.#env();
    if (other === machine || !other.isRunning || other.isBad || !network.reaches(machine, other))
      return false;
    if (!network.reaches(other, machine) || !other.life!.store.verified.has(chunk)) return false;
    // Without multicast, who holds something tells those whom it polls, for as long as its own session lasts.
    if (!this.#env().options.useMulticast && !other.life!.session) return false;
    if (network.pruned.has(machine.index) || network.pruned.has(other.index)) return false;
    if (network.weather[machine.subnet]!.mtuBytes < limits.datagramMaxBytes) return false;
    const sinceMs = Math.max(
      this.#acceptedAtMs.get(other.index * content.chunkCount + chunk) ?? 0,
      machine.disturbedAtMs,
      other.disturbedAtMs,
      this.#disturbedAtMs[machine.subnet]!,
      download.sinceMs ?? 0,
    );
    // Whoever did not answer requests is left alone for a while.
    const shunnedMs = other.hasFaltered || this.#disturbedAtMs[machine.subnet]! > 0 ? failurePenaltyMsMax : 0;
    if (this.#nowMs < sinceMs + this.#settleMs(machine.subnet) + shunnedMs) return false;
    return content.isTrue(chunk, other.disk.read(chunk));
  }

  /** So long a representative may not know what others hold: it asks every two seconds, and some of that is lost. */
  #settleMs(subnet: number): number {
    const { loss, corrupt, burstEveryMs, burstMs } = this.#env().network.weather[subnet]!;
    const inBurst = burstEveryMs === 0 ? 0 : burstMs / (burstEveryMs + burstMs);
    const arrives = (1 - loss) * (1 - corrupt) * (1 - inBurst);
    const fails = 1 - arrives * arrives;
    const rounds = fails < falseAlarm ? 1 : Math.ceil(Math.log(falseAlarm) / Math.log(fails));
    return timing.wantEveryMs * (1 + rounds);
  }

  /** The source says who may use the WAN; only a device that it cannot be asked by goes on without. */
  #checkLease({ machine, member }: Session): void {
    const { source } = this.#env();
    const holder = source.holderOn(machine.subnet);
    const isOther = holder !== null && holder !== machine.id && member.role === "representative";
    const canAsk = source.state === "up" && !source.cutOff.has(machine.subnet);
    if (!isOther || !canAsk) return void this.#leaseSinceMs.delete(machine);
    const known = this.#leaseSinceMs.get(machine);
    if (known?.holder !== holder)
      return void this.#leaseSinceMs.set(machine, { holder, sinceMs: this.#nowMs });
    const sinceMs = Math.max(known.sinceMs, machine.disturbedAtMs, this.#disturbedAtMs[machine.subnet]!);
    if (this.#nowMs < sinceMs + leaseKnownWithinMs) return;
    this.fail("lease", machine, `downloads for ${leaseKnownWithinMs / 1_000} s while the lease is another's`);
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
