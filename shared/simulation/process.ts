/**
 * One process of the agent on a simulated machine: a real device (shared/device) over simulated
 * ports. The class also does what shared/agent does around a device: check-in, roaming, shutdown.
 * It observes the device after each event, and reports what changed to the checkers.
 */
import type { DevicePorts, Place, SessionSizes, Source } from "../device/ports.ts";
import { noDisks } from "./no-disks.ts";
import { Device } from "../device/device.ts";
import type { Group } from "../device/group.ts";
import type { Session } from "../device/session.ts";
import type { Task } from "../device/task.ts";
import { addressOf } from "../api/agent-client.ts";
import {
  CacheError,
  type DistributionCache,
  noBytes,
  type ChunkOrigin,
  type PackageStore,
} from "../cache/index.ts";
import { ChunkSet } from "../model/chunk-set.ts";
import { symbolOverheadBytes } from "../wire/index.ts";
import { SimulatedActivity } from "./activity.ts";
import { SimulatedCommands } from "./commands.ts";
import type { Context } from "./context.ts";
import { KnownKeys } from "./known-keys.ts";
import { deployment } from "./layout.ts";
import { cacheOf } from "./machine-cache.ts";
import type { Machine, ProcessClock, RunningProcess } from "./machine.ts";
import { Random } from "./random.ts";
import { SimulatedPeers } from "./peers.ts";
import { reportEveryMs } from "./source.ts";
import { requestTo } from "./source-request.ts";
import { Datagrams, ObservedSessions, SendBuffer } from "./lan.ts";
import { sizesOf } from "./sizes.ts";
import { Transcript } from "./transcript.ts";
import { SimulatedUpgrades } from "./upgrades.ts";
import { SimulatedWeb } from "./web.ts";

const loopbackAddress = "127.0.0.1";
/** Interval of check-ins while they fail. */
const checkInRetryMs = 5_000;
/** Time after which a service manager starts an agent again that exited at its start. */
const bootRetryMs = 5_000;

/** Parts of the agent around its device. */
type Parts = {
  readonly clock: ProcessClock;
  readonly lan: ObservedSessions;
  readonly group: Group;
  readonly cache: DistributionCache;
  readonly place: Place;
  readonly keys: KnownKeys;
};

export class Process implements RunningProcess {
  readonly exchange: SimulatedPeers;
  readonly sizes: SessionSizes;
  readonly device: Device;
  readonly transcript: Transcript | null;
  downloadsSinceMs: number | null = null;
  followsSinceMs: number | null = null;
  readonly #context: Context;
  readonly #machine: Machine;
  readonly #parts: Parts;
  /** Verified chunks and bytes by origin at the last observation, and bytes at the start. */
  readonly #observed: {
    verified: ChunkSet;
    origins: Record<ChunkOrigin, number>;
    atStart: Record<ChunkOrigin, number>;
    /** World time of the last report. */
    reportedAtMs: number;
  };
  #resume: (() => void) | null = null;
  isStopping = false;

  constructor(context: Context, machine: Machine) {
    this.#context = context;
    this.#machine = machine;
    const clock = machine.processClock();
    const { options, observer, crypto, package: published } = context;
    const note = (event: string, detail: string): void => observer.note(machine, event, detail);
    this.transcript = options.logsFrames ? new Transcript(published.chunkCount, note) : null;
    this.exchange = new SimulatedPeers(context, machine);
    this.sizes = sizesOf(options);
    // Apart from the machine's random numbers: new sender ids depend on the traffic.
    const senders = new Random(options.seed, `senders ${machine.random.bytes(8).toHex()}`);
    const lanOptions = {
      deployment,
      crypto,
      clock,
      newSender: () => senders.bytes(8).toHex(),
      senderMsMax: options.senderMs,
    };
    const lan = new ObservedSessions(lanOptions, (frame) => {
      this.transcript?.sent(frame);
      if (frame.type === "have") observer.statesHeld(machine, frame.ranges, "HAVE");
    });
    const cache = cacheOf(machine, clock, (ms) => clock.sleep(ms));
    const place: Place = { address: loopbackAddress, subnetId: null, answered: null };
    const keys = new KnownKeys(machine.ledger, published.id);
    this.#parts = { clock, lan, group: this.#createGroup(), cache, place, keys };
    this.device = new Device({ ports: this.#createPorts(), onChange: () => {} });
    const origins = { ...(machine.ledger.packages()[0]?.originBytes ?? noBytes) };
    this.#observed = { verified: machine.listedChunks, origins, atStart: { ...origins }, reportedAtMs: 0 };
    machine.ledger.onChunksListed = (id, rows) => observer.lists(machine, id, rows);
    machine.ledger.onStateSet = (id, state) => {
      if (state === "complete") observer.completes(machine, id);
    };
  }

  // ---- queries ----------------------------------------------------------------------------------

  get task(): Task | undefined {
    return this.device.tasks.values().next().value;
  }

  get session(): Session | null {
    return this.task?.session ?? null;
  }

  get store(): PackageStore | null {
    return this.task?.store ?? null;
  }

  get heldCount(): number {
    return this.#observed.verified.count;
  }

  get originBytes(): Readonly<Record<ChunkOrigin, number>> {
    return this.#observed.origins;
  }

  get held(): ChunkSet {
    return this.#observed.verified;
  }

  get isEnded(): boolean {
    return this.task?.stage.kind === "ended";
  }

  get knowsSubnet(): boolean {
    return this.#parts.place.subnetId !== null;
  }

  get role(): string {
    const { task } = this;
    return task?.session?.member.role ?? (task?.stage.kind === "ended" ? "done" : (task?.stage.kind ?? "-"));
  }

  get keys(): KnownKeys {
    return this.#parts.keys;
  }

  receivedFrom(origin: ChunkOrigin): number {
    const bytes = this.#observed.origins[origin] - this.#observed.atStart[origin];
    return Math.ceil(bytes / this.#context.options.chunkBytes);
  }

  // ---- start, roaming, shutdown -----------------------------------------------------------------

  /** Starts the agent on the present content of the disk. */
  start(): void {
    if (this.#machine.subnet !== 0) this.#attach();
    void this.#boot();
  }

  async #boot(): Promise<void> {
    try {
      await this.#parts.cache.reconcile();
      await this.#parts.cache.adoptFound([this.#context.package.publisherKey]);
      await this.device.resume();
    } catch (error) {
      if (!(error instanceof CacheError)) return this.#context.observer.crashed(this.#machine, error);
      // The real agent exits with this error, and the service manager starts it again.
      return void this.#machine.after(bootRetryMs, () => void this.#boot());
    }
    this.#checkIn();
  }

  async stop(): Promise<void> {
    this.isStopping = true;
    await this.device.stop();
    this.device.close();
    await this.#parts.cache.close().catch(() => {});
  }

  leaveSubnet(reason: string): void {
    this.#resume = this.device.leaveSubnet(reason);
    this.#parts.lan.detach();
    this.#parts.place.subnetId = null;
    this.#parts.place.address = loopbackAddress;
  }

  arriveOnSubnet(): void {
    this.#attach();
    this.#checkIn();
    this.#resume?.();
    this.#resume = null;
  }

  #attach(): void {
    this.#parts.place.address = this.#machine.address;
    this.#parts.lan.attach(this.#parts.group);
  }

  onWake(): void {
    this.#accept();
  }

  onConditions(): void {
    this.device.onConditions();
  }

  noteSequences(): () => void {
    return this.#parts.lan.noteSequences();
  }

  #accept(): void {
    const { source, taskFor } = this.#context;
    const tasks = source.hasCancelled ? [] : [taskFor(this.#machine)];
    // Under other keys the session begins again, and the bounds of the checkers with it.
    for (const task of tasks) if (this.keys.take(task)) this.#machine.noteFault();
    this.device.accept(tasks, this.device.serving);
  }

  #checkIn(): void {
    const machine = this.#machine;
    const { subnet } = machine;
    if (subnet === 0) return;
    this.#request(() => String(subnet)).then(
      (subnetId) => {
        if (machine.subnet !== subnet || this.isStopping) return;
        this.#parts.place.subnetId = subnetId;
        // The device can request a lease only now, so the bounds of the checkers begin here.
        machine.noteFault();
        this.#accept();
      },
      () => {
        if (machine.subnet === subnet) machine.after(checkInRetryMs, () => this.#checkIn());
      },
    );
  }

  receive(datagrams: readonly Uint8Array[], fromAddress: string): void {
    this.#parts.lan.onBatch(new Datagrams(datagrams, fromAddress));
  }

  observe(): void {
    const { session, store } = this;
    if (store) this.#observeChunks(store);
    if (session) this.transcript?.observe(session.member);
    if (session?.member.isDownloading !== true) this.downloadsSinceMs = null;
    else this.downloadsSinceMs ??= this.#context.clock.nowMs;
    if (session?.member.role !== "peer") this.followsSinceMs = null;
    else this.followsSinceMs ??= this.#context.clock.nowMs;
    if (session) this.#report(session);
  }

  /** Reports to the source, after an event: a report needs no timer of its own. */
  #report({ receptions }: Session): void {
    const { clock, source } = this.#context;
    if (!this.knowsSubnet || clock.nowMs < this.#observed.reportedAtMs + reportEveryMs) return;
    this.#observed.reportedAtMs = clock.nowMs;
    source.report(this.#machine.id, this.#machine.subnet, () => receptions.list(this.#parts.clock.nowMs()));
  }

  #observeChunks(store: PackageStore): void {
    const observed = this.#observed;
    const { verified, originBytes } = store;
    if (verified.count === observed.verified.count && verified.overlap(observed.verified) === verified.count)
      return;
    const grown = (Object.keys(noBytes) as ChunkOrigin[]).filter(
      (each) => originBytes[each] > observed.origins[each],
    );
    const origin = grown.length === 1 ? grown[0]! : null;
    const fresh = verified.clone();
    fresh.deleteAll(observed.verified);
    Object.assign(observed.origins, originBytes);
    observed.verified = verified.clone();
    for (const chunk of fresh) {
      this.transcript?.verified(chunk, origin);
      this.#context.observer.verified(this.#machine, chunk, origin);
    }
  }

  // ---- ports ------------------------------------------------------------------------------------

  #createGroup(): Group {
    const machine = this.#machine;
    const { network, observer, clock } = this.#context;
    const port = new SendBuffer();
    const counters = { framesSent: 0, framesReceived: 0, receiveCalls: 0, messagesReceived: 0 };
    return {
      name: "239.255.70.67:7067",
      counters,
      get symbolMaxBytes() {
        return machine.symbolMaxBytes;
      },
      kernelDrops: () => 0,
      send: (datagram) => {
        counters.framesSent++;
        observer.sent(machine, datagram);
        network.multicast(machine, [datagram], false);
      },
      sendRun: (_bytes, datagrams) => {
        // Copies, because the sender reuses its buffers while the datagrams are in flight.
        const taken = port.take(datagrams, machine, clock.nowMs);
        const copies = datagrams.slice(0, taken).map((datagram) => datagram.slice());
        for (const copy of copies) observer.sent(machine, copy);
        const payloadBytes = copies.reduce((sum, { length }) => sum + length - symbolOverheadBytes, 0);
        observer.paced(machine, payloadBytes, this.session?.member.sendRateBps() ?? 0);
        counters.framesSent += copies.length;
        network.multicast(machine, copies, true);
        return copies.length;
      },
    };
  }

  #createPorts(): DevicePorts {
    const machine = this.#machine;
    const { package: published, observer } = this.#context;
    return {
      device: machine.id,
      clock: this.#parts.clock,
      random: machine.random.next,
      cache: this.#parts.cache,
      lan: this.#parts.lan,
      peers: this.exchange,
      web: new SimulatedWeb(this.#context, machine, this.#parts.clock),
      source: this.#createSource(),
      commands: new SimulatedCommands(this.#context, machine, this.#parts.clock),
      activity: new SimulatedActivity(this.#context, machine, this.#parts.clock),
      timeZone: () => 0,
      disks: noDisks,
      conditions: () => machine.faults.conditions,
      upgrades: new SimulatedUpgrades(this.#context, machine, this.#parts.clock),
      place: this.#parts.place,
      medium: () => (machine.profile.medium === "wireless" ? "wireless" : "wired"),
      rank: (cachedShare) => machine.rank(cachedShare),
      publisherKeys: () => [published.publisherKey],
      sizes: this.sizes,
      log: {
        info: (fields, message) => this.#noteLog(message, fields),
        warn: (fields, message) => this.#noteLog(message, fields),
        error: (fields, message) => observer.crashed(machine, `${message}: ${JSON.stringify(fields)}`),
      },
      metrics: { wrongChunk() {}, roleChanged() {}, wanBytes() {}, taskEnded() {} },
      onBug: (error) => observer.crashed(machine, error),
      onBytesPassed: () => {},
    };
  }

  /** Adds the device's log lines about roles, delays and failures to the history. */
  #noteLog(message: string, fields: object): void {
    const { observer } = this.#context;
    const { from, to, why, reason, life, stalledMs } = fields as Record<string, string>;
    const note = (event: string, detail: string): void => observer.note(this.#machine, event, detail);
    switch (message) {
      case "role changed":
        return note("role", `${from} → ${to}: ${why}`);
      case "task is held up":
        return note("held up", reason!);
      case "the session failed here":
        return note("failed", reason!);
      case "task ended":
        return life === "complete" ? undefined : note(life!, reason!);
      case "this device stalled":
        return this.transcript?.stalled(Number(stalledMs));
      default:
    }
  }

  #createSource(): Source {
    const machine = this.#machine;
    const { source, package: published } = this.#context;
    const { transcript } = this;
    return {
      manifest: (request) =>
        this.#request(() => {
          const answer = this.#context.options.sharesManifest && source.manifest(machine.id, request);
          return answer && answer.result === "elsewhere"
            ? { result: "elsewhere", holders: answer.holders.map(addressOf) }
            : { result: "granted", signed: published.signed };
        }),
      lease: async (request) => {
        const answer = await this.#request(() => source.lease(machine.id, request));
        transcript?.leaseAnswered(answer);
        return answer;
      },
      releaseLease: async (release) => {
        transcript?.leaseReleased();
        await this.#request(() => source.release(machine.id, release));
      },
      fallback: async (request) => {
        const answer = await this.#request(() => source.fallback(machine.id, request));
        if (answer === null) throw new Error("the source answered 500");
        return answer;
      },
      contentUrl: (packageId) => `http://source.invalid/v1/packages/${packageId}/content`,
      authorization: "",
      fetch: undefined,
    };
  }

  #request<T>(serve: () => T): Promise<T> {
    return requestTo(this.#context, this.#machine, serve);
  }
}
