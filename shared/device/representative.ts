/**
 * What a device does while it is elected: downloads what the subnet lacks, once, and multicasts it. When to download,
 * what to send and when to step down is decided in shared/core (core/representative.ts); the session passes that on.
 */
import type { PackageStore } from "../cache/index.ts";
import type { Member } from "../core/member.ts";
import { createErasureCode } from "../fec/index.ts";
import type { SettingValues } from "../model/setting.ts";
import { deviceClock, wanPauseReason, wanRateAt } from "../model/wan-schedule.ts";
import type { ChunkCipher } from "../wire/index.ts";
import { ChunkSender } from "./chunk-sender.ts";
import { runDownload, type DownloadOptions } from "./download.ts";
import type { DevicePorts } from "./ports.ts";

/** Repair symbols of a block that each later representative of a session leaves to those before it. */
const repairsPerTerm = 24;

export type RepresentativeContext = {
  readonly ports: DevicePorts;
  readonly member: Member;
  readonly store: PackageStore;
  /** The task's session id. */
  readonly session: string;
  readonly cipher: ChunkCipher;
  /** Read again at every use. */
  readonly setting: () => SettingValues;
  readonly onStored: (chunk: number) => void;
  /** There is something new to report. */
  readonly onChange: () => void;
  /** The download ended: nothing was left (null), or it failed. */
  readonly onDownloadEnded: (failure: string | null) => void;
  /** Everything that the member wanted to send was sent. */
  readonly onSendIdle: () => void;
  readonly onError: (error: unknown) => void;
};

export class Representative {
  readonly #context: RepresentativeContext;
  #sender: ChunkSender | null = null;
  /** Aborts the download; null while there is none. */
  #abort: AbortController | null = null;
  /** The download that is still winding down, so that two never run at the same time. */
  #running: Promise<void> = Promise.resolve();
  #sentBefore = 0;
  /** Body bytes read from the web site, whether or not they verified. */
  wanBytes = 0;
  /** What a person should know about the download; empty when all is well. */
  note = "";

  constructor(context: RepresentativeContext) {
    this.#context = context;
  }

  /** Payload bytes multicast. */
  get sentBytes(): number {
    return this.#sentBefore + (this.#sender?.payloadBytesSent ?? 0);
  }

  startDownload(): void {
    if (this.#abort) return;
    const abort = new AbortController();
    this.#abort = abort;
    this.#running = this.#running.then(() => this.#download(abort)).catch(this.#context.onError);
  }

  stopDownload(): void {
    this.#abort?.abort();
    this.#abort = null;
  }

  /** There is something to multicast. */
  wakeSender(): void {
    this.#sender ??= this.#createSender();
    this.#sender?.wake();
  }

  /** No longer elected: download and multicast end. */
  stepDown(): void {
    this.stopDownload();
    this.#sentBefore += this.#sender?.payloadBytesSent ?? 0;
    this.#sender?.stop();
    this.#sender = null;
    this.#context.ports.lan.sendEnded(this.#context.session);
  }

  #createSender(): ChunkSender | null {
    const { ports, member, store, session, cipher, onSendIdle, onError } = this.#context;
    const { lan, clock } = ports;
    const { group } = lan;
    if (!group) return null;
    let hasBegun = false;
    return new ChunkSender({
      group,
      writer: () => lan.writer(session),
      next: () => {
        const item = member.nextToSend(clock.nowMs());
        if (item && !hasBegun) {
          hasBegun = true;
          ports.log.info({ packageId: store.id, term: member.term }, "multicast begins");
        }
        return item;
      },
      holds: (chunk) => store.verified.has(chunk),
      readChunk: (chunk) => store.readChunk(chunk),
      symbolSizeBytes: ports.sizes.symbolBytes,
      burstBytes: ports.sizes.burstBytes,
      code: createErasureCode(),
      rateBps: () => member.sendRateBps() / lan.sendShares,
      cipher,
      onSent: (symbols) => {
        member.onSymbolsSent(symbols);
        ports.onBytesPassed();
      },
      repairOffset: (member.term - 1) * repairsPerTerm,
      clock,
      onBusy: () => lan.sendBegan(session),
      onIdle: () => {
        lan.sendEnded(session);
        onSendIdle();
      },
      onError,
    });
  }

  async #download(abort: AbortController): Promise<void> {
    if (abort.signal.aborted) return;
    const outcome = await runDownload(this.#downloadOptions(abort.signal));
    if (this.#abort === abort) this.#abort = null;
    if (outcome.kind === "failed") this.note = outcome.reason;
    if (outcome.kind !== "aborted")
      this.#context.onDownloadEnded(outcome.kind === "failed" ? outcome.reason : null);
  }

  #downloadOptions(signal: AbortSignal): DownloadOptions {
    const { ports, member, store, setting, onStored, onChange, onError } = this.#context;
    const { web, clock, source, random, log, metrics } = ports;
    return {
      web,
      clock,
      manifest: store.manifest,
      contentUrl: source.contentUrl(store.id),
      headers: { authorization: source.authorization },
      ...(source.ca === undefined ? {} : { ca: source.ca }),
      nextRun: () => member.nextDownloadRun(clock.nowMs()),
      isWanted: (chunk) => member.wantsDownload(chunk, clock.nowMs()),
      onChunk: async (chunk, bytes) => {
        const stored = await store.writeChunk(chunk, bytes, "wan").catch((error: unknown): never => {
          // A full disk is this device's fault, not the web site's: another device may continue.
          onError(error);
          throw error;
        });
        if (stored === "stored") onStored(chunk);
        return stored;
      },
      onBytes: (bytes) => {
        this.wanBytes += bytes;
        this.note = "";
        metrics.wanBytes(bytes);
      },
      onState: (reason) => {
        this.note = reason;
        log.info({ packageId: store.id, reason }, "download");
        onChange();
      },
      rateBps: () => wanRateAt(setting(), deviceClock(clock.wallMs())),
      pauseReason: () => wanPauseReason(setting(), clock.wallMs(), deviceClock),
      stallMs: setting().wanStallMs,
      attempts: setting().wanAttempts,
      signal,
      random,
    };
  }
}
