/**
 * One life of an agent on a simulated machine, from its start to its crash: the task's way from "waiting" to "ended" as
 * in `shared/device/task.ts`, what it offers to others, and its talk with the source.
 */
import { WantResponder } from "../core/peers/want-responder.ts";
import { ChunkSet } from "../model/chunk-set.ts";
import type { FallbackAnswer, LeaseAnswer } from "../core/events.ts";
import { timing } from "../core/timing.ts";
import type { Poll, PollAnswer } from "../net/exchange/messages.ts";
import { limits, type ControlFrame } from "../wire/index.ts";
import { DiskError } from "./disk.ts";
import type { Env } from "./env.ts";
import type { Machine } from "./machine.ts";
import { Session } from "./session.ts";
import { requestTimeoutMs } from "./source.ts";
import { Store, type ChunkOrigin } from "./store.ts";
import { Talk } from "./talk.ts";
import { Voice, type ContextName } from "./voice.ts";

const retryMsMin = 1_000;
const retryMsMax = 60_000;
/** Reading a small package back. */
const readBackMs = 20;
/** A device whose first check-in failed learns its subnet so much later. */
const checkInRetryMs = 5_000;

export class Life {
  readonly store: Store;
  readonly voice: Voice;
  readonly talk: Talk | null;
  stage: "waiting" | "session" | "verifying" | "ended" = "waiting";
  session: Session | null = null;
  readonly #env: Env;
  readonly #machine: Machine;
  readonly #answering = new WantResponder();
  #attempts = 0;
  #isHeldUp = false;
  #countAtStart = 0;
  /** What the source told about this device's place; 0: nothing yet. */
  #knownSubnet = 0;
  #isAnswerDue = false;

  constructor(env: Env, machine: Machine) {
    this.#env = env;
    this.#machine = machine;
    const { mutation } = env.options;
    const note = (event: string, detail: string): void => env.checks.note(machine, event, detail);
    this.talk = env.options.talk ? new Talk(env.options.chunks, note) : null;
    this.voice = new Voice(
      env.crypto,
      env.keys,
      machine.random,
      mutation === "reuse-nonce" ? `5e4de7${machine.id.slice(6)}` : null,
    );
    this.store = new Store({
      content: env.content,
      disk: machine.disk,
      after: (delayMs, run) => machine.after(delayMs, run),
      onAccepted: (chunk, bytes, origin) => {
        env.checks.accepted(machine, chunk, bytes, origin);
        this.talk?.stored(chunk, origin);
      },
      acceptsUnverified: mutation === "accept-unverified",
      forgetsLedger: mutation === "forget-ledger",
    });
  }

  /** The source has told where this device is: without that no lease can be asked for. */
  get knowsSubnet(): boolean {
    return this.#knownSubnet !== 0;
  }

  get role(): string {
    return this.session?.member.role ?? (this.stage === "ended" ? "done" : this.stage);
  }

  /** The agent begins, on whatever the disk holds. */
  start(): void {
    this.voice.join("package");
    this.#checkIn();
    this.#begin();
  }

  #begin(): void {
    if (this.stage !== "waiting") return;
    this.#isHeldUp = false;
    const { disk } = this.#machine;
    if (disk.state === "complete" || this.store.verified.isFull) return this.full();
    if (disk.isFull) return this.hindered("the disk is full");
    if (!disk.manifest) return this.#getManifest();
    this.#countAtStart = this.store.verified.count;
    this.stage = "session";
    this.voice.join("task");
    this.session = new Session(this.#env, this.#machine, this);
    this.session.step({ type: "Started" });
  }

  #getManifest(): void {
    this.#ask(
      () => true,
      (answer) => {
        if (answer === null) return this.hindered("the source does not give the manifest");
        this.#machine.disk.manifest = true;
        this.#begin();
      },
    );
  }

  /** Something outside is not as it should be: the session ends, and begins again later. */
  hindered(reason: string): void {
    if (this.stage === "ended" || this.#isHeldUp) return;
    this.#isHeldUp = true;
    this.#env.checks.note(this.#machine, "held up", reason);
    this.closeSession(reason);
    this.stage = "waiting";
    const longestMs = Math.min(retryMsMax, retryMsMin * 2 ** this.#attempts++);
    this.#machine.after(longestMs * this.#machine.random.between(0.75, 1.25), () => this.#begin());
  }

  closeSession(reason: string): void {
    const { session } = this;
    this.session = null;
    session?.close(reason);
    this.voice.leave("task");
  }

  /** The device leaves its subnet; the task goes on wherever it comes to. */
  leaveSubnet(reason: string): void {
    const goesOn = this.stage === "session";
    this.closeSession(reason);
    this.#knownSubnet = 0;
    if (goesOn) this.stage = "waiting";
  }

  arriveOnSubnet(): void {
    this.#checkIn();
    this.#begin();
  }

  changed(): void {
    const { session, store } = this;
    if (store.verified.count > this.#countAtStart) this.#attempts = 0;
    if (session?.member.role === "idle" && store.state === "complete") this.closeSession("the session ended");
  }

  /** Every chunk is there: they are read back before anybody is told. */
  full(): void {
    if (this.stage === "verifying" || this.stage === "ended") return;
    this.stage = "verifying";
    this.#isHeldUp = false;
    this.#machine.after(readBackMs, () => {
      if (this.stage !== "verifying") return;
      const wasComplete = this.store.state === "complete";
      try {
        const bad = this.store.complete();
        if (bad) return this.hindered(`${bad.length} chunks were wrong when read back`);
      } catch (error) {
        return this.#failed(error);
      }
      this.stage = "ended";
      this.#env.checks.completed(this.#machine, wasComplete);
      this.session?.step({ type: "PackageVerified" });
      this.changed();
    });
  }

  /** "failed": the disk refused it, and the task is held up. */
  write(chunk: number, bytes: Uint8Array, origin: ChunkOrigin) {
    try {
      return this.store.writeChunk(chunk, bytes, origin);
    } catch (error) {
      this.#failed(error);
      return "failed";
    }
  }

  #failed(error: unknown): void {
    if (!(error instanceof DiskError)) throw error;
    this.hindered(error.message);
  }

  // ---- the LAN ------------------------------------------------------------------------------------------------

  say(context: ContextName, frame: ControlFrame): void {
    this.talk?.said(frame);
    const datagram = this.voice.frame(context, frame);
    this.#env.checks.sent(this.#machine, datagram);
    this.#env.network.multicast(this.#machine, [datagram], false);
  }

  hear(datagram: Uint8Array, fromAddress: string): void {
    const received = this.voice.receive(datagram);
    if (received.kind === "dropped") return;
    if (received.kind === "symbol") return this.session?.symbol(received);
    const { frame, header } = received;
    if (frame.type === "want" || frame.type === "have") this.#hearPackage(frame);
    this.session?.control(frame, { address: fromAddress, sender: header.sender });
  }

  /** Whoever holds something answers, also long after its own task ended. */
  #hearPackage(frame: Extract<ControlFrame, { type: "want" | "have" }>): void {
    if (frame.type === "have") return this.#answering.onHave(frame.toDevice);
    const { offered } = this.store;
    const wanted = ChunkSet.fromRanges(offered.size, frame.ranges);
    if (!wanted || wanted.overlap(offered) === 0) return;
    this.#answering.onWant(frame.device, this.#machine.nowMs, this.#machine.random.next());
    this.#answerLater();
  }

  #answerLater(): void {
    if (this.#isAnswerDue || !Number.isFinite(this.#answering.dueAtMs)) return;
    this.#isAnswerDue = true;
    this.#machine.after(Math.max(1, this.#answering.dueAtMs - this.#machine.nowMs), () => {
      this.#isAnswerDue = false;
      this.#answer();
      this.#answerLater();
    });
  }

  #answer(): void {
    const ranges = this.store.offered.toRanges(limits.rangesMax);
    for (const toDevice of this.#answering.takeDue(this.#machine.nowMs)) {
      if (ranges.length === 0) continue;
      const { id, lanPort } = this.#machine;
      this.say("package", { type: "have", device: id, ranges, load: 0, lanPort, toDevice });
    }
  }

  polled(poll: Poll, address: string): PollAnswer {
    const answer = this.session?.fetcher.polled(poll, address) ?? { peers: [], leads: 0 };
    return { device: this.#machine.id, heldRanges: this.store.offered.toRanges(), load: 0, ...answer };
  }

  /** What this device serves when asked for a chunk. */
  chunk(chunk: number): Uint8Array | "not-found" {
    if (!this.store.offered.has(chunk)) return "not-found";
    const bytes = this.store.readProven(chunk);
    if (!bytes) {
      this.#spoiled(chunk);
      return "not-found";
    }
    if (!this.#machine.isBad) return bytes;
    const wrong = bytes.slice();
    wrong[0]! ^= 0xff;
    return wrong;
  }

  /** Whoever leads with a chunk that changed on its disk gives way to others. */
  #spoiled(chunk: number): void {
    if (!this.session) return;
    const reason = `chunk ${chunk} on the disk is not what was verified`;
    if (this.stage === "session") return this.hindered(reason);
    this.closeSession(reason);
  }

  // ---- the source ---------------------------------------------------------------------------------------------

  #checkIn(): void {
    const { subnet } = this.#machine;
    this.#ask(
      () => subnet,
      (answer) => {
        if (this.#machine.subnet !== subnet) return;
        if (answer === null) return this.#machine.after(checkInRetryMs, () => this.#checkIn());
        this.#knownSubnet = subnet;
        // Only now it can ask for a lease.
        this.#machine.disturb();
      },
    );
  }

  askLease(term: number, query: boolean, answered: (answer: LeaseAnswer) => void): void {
    const untilMs = this.#machine.nowMs + timing.leaseTimeoutMs;
    const ask = (): void => {
      if (this.#knownSubnet === 0) {
        if (this.#machine.nowMs >= untilMs) return answered({ result: "unreachable" });
        return this.#machine.after(50, ask);
      }
      this.#askLease(this.#knownSubnet, term, query, answered);
    };
    ask();
  }

  #askLease(subnet: number, term: number, query: boolean, answered: (answer: LeaseAnswer) => void): void {
    const { id, address, lanPort } = this.#machine;
    const { source, options } = this.#env;
    if (options.mutation === "skip-lease" && !query)
      return this.#machine.after(20, () => answered({ result: "granted", term, before: null }));
    this.#ask(
      () => source.lease({ deviceId: id, subnet, address, lanPort, term, query }),
      (answer) => answered(answer ?? { result: "unreachable" }),
    );
  }

  releaseLease(failure: string | null): void {
    const subnet = this.#knownSubnet;
    if (subnet === 0) return;
    this.talk?.leaseReleased();
    const { source } = this.#env;
    this.#ask(
      () => source.release(subnet, this.#machine.id, failure),
      () => {},
    );
  }

  askFallback(answered: (answer: FallbackAnswer) => void): void {
    const subnet = this.#knownSubnet;
    if (subnet === 0) return answered({ result: "unreachable" });
    this.#ask(
      () => this.#env.source.fallback(subnet, this.#machine.id),
      (answer) => answered(answer ?? { result: "unreachable" }),
    );
  }

  giveFallbackBack(): void {
    const subnet = this.#knownSubnet;
    if (subnet === 0) return;
    this.#ask(
      () => this.#env.source.takeFallbackBack(subnet, this.#machine.id),
      () => {},
    );
  }

  /** A request to the source; null: no answer, or an error. */
  #ask<T>(atTheSource: () => T, answered: (answer: T | null) => void): void {
    const { source, clock } = this.#env;
    const machine = this.#machine;
    const { subnet } = machine;
    const delayMs = source.answerMs(subnet);
    if (delayMs === null) {
      // A refused connection is known at once, a silent one after the client's patience.
      const waitMs = machine.random.chance(0.7) ? 30 : requestTimeoutMs;
      return machine.after(waitMs, () => answered(null));
    }
    let answer: T | null = null;
    clock.at(delayMs / 2, () => {
      // What was sent arrives, whatever became of the sender.
      if (source.state !== "errors") answer = atTheSource();
    });
    machine.after(delayMs, () => answered(machine.subnet === subnet ? answer : null));
  }
}
