/**
 * The work of an elected device: downloads what the subnet is missing, once, and multicasts it.
 * shared/core decides when to download, what to send and when to step down
 * (core/representative.ts); session.ts passes these decisions on.
 */
import type { PackageStore } from "../cache/index.ts";
import type { Member } from "../core/member.ts";
import { createErasureCode } from "../fec/index.ts";
import type { SettingValues } from "../model/setting.ts";
import { deviceClock } from "../model/time-zone.ts";
import { wanPauseReason, wanRateAt } from "../model/wan-schedule.ts";
import type { ChunkCipher } from "../wire/index.ts";
import { ChunkSender } from "./chunk-sender.ts";
import { contentSites } from "./content-sites.ts";
import { runDownload, type DownloadOptions } from "./download.ts";
import type { DevicePorts } from "./ports.ts";
import type { WanSpending } from "./wan-spending.ts";

/**
 * Distance between the first repair symbols of successive terms, so that successive representatives
 * of a session send different ones.
 */
const repairsPerTerm = 24;

type RepresentativeContext = {
  readonly ports: DevicePorts;
  readonly member: Member;
  readonly store: PackageStore;
  /** Session id of the task. */
  readonly session: string;
  readonly cipher: ChunkCipher;
  readonly spending: WanSpending;
  /** Called at every use, because the setting may change. */
  readonly setting: () => SettingValues;
  readonly onStored: (chunk: number) => void;
  /** Called when there is something new to report. */
  readonly onChange: () => void;
  /**
   * Called when the download ends. Null: no chunk is left to download; otherwise the reason of the
   * failure.
   */
  readonly onDownloadEnded: (failure: string | null) => void;
  /** Called when everything that the member wanted to send was sent. */
  readonly onSendIdle: () => void;
  /** Called when the interface no longer carries the symbols: its MTU fell. */
  readonly onRefused: () => void;
  readonly onError: (error: unknown) => void;
};

export class Representative {
  readonly #context: RepresentativeContext;
  #sender: ChunkSender | null = null;
  /** Aborts the download; null: there is none. */
  #abort: AbortController | null = null;
  /** Settles when the last download has ended; the next one waits for it. */
  #running: Promise<void> = Promise.resolve();
  #sentBefore = 0;
  /** Problem of the download, for a person; empty: none. */
  note = "";

  constructor(context: RepresentativeContext) {
    this.#context = context;
  }

  /** Payload bytes multicast. */
  get sentBytes(): number {
    return this.#sentBefore + (this.#sender?.payloadBytesSent ?? 0);
  }

  /** Starts the download of the missing chunks; no effect while one is running. */
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

  /** Resumes the multicast when there is something to send. */
  resumeSender(): void {
    this.#sender ??= this.#createSender();
    this.#sender?.resume();
  }

  /** Ends download and multicast. */
  stepDown(): void {
    this.stopDownload();
    this.#sentBefore += this.#sender?.payloadBytesSent ?? 0;
    this.#sender?.stop();
    this.#sender = null;
    this.#context.ports.lan.sendEnded(this.#context.session);
  }

  #createSender(): ChunkSender | null {
    const { ports, member, store, session, cipher, onSendIdle, onRefused, onError } = this.#context;
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
      symbolSizeBytes: () => member.sendSymbolBytes,
      isWanted: () => member.hasListeners,
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
      onRefused,
      onError,
    });
  }

  async #download(abort: AbortController): Promise<void> {
    if (abort.signal.aborted) return;
    const outcome = await runDownload(this.#downloadOptions(abort.signal));
    this.#context.spending.settle();
    if (this.#abort === abort) this.#abort = null;
    if (outcome.kind === "failed") this.note = outcome.reason;
    if (outcome.kind !== "aborted")
      this.#context.onDownloadEnded(outcome.kind === "failed" ? outcome.reason : null);
  }

  #downloadOptions(signal: AbortSignal): DownloadOptions {
    const { ports, member, store, spending, setting, onStored, onChange, onError } = this.#context;
    const { web, clock, source, random, log, metrics } = ports;
    return {
      web,
      clock,
      manifest: store.manifest,
      sites: () => contentSites(spending.places, source, store.id),
      nextRun: () => member.nextDownloadRun(clock.nowMs()),
      isWanted: (chunk) => member.wantsDownload(chunk, clock.nowMs()),
      onChunk: async (chunk, bytes) => {
        const stored = await store.writeChunk(chunk, bytes, "wan").catch((error: unknown): never => {
          // A full disk is not the web site's fault: another device may continue.
          onError(error);
          throw error;
        });
        if (stored === "stored") {
          spending.stored(chunk, bytes.length);
          onStored(chunk);
        }
        return stored;
      },
      onBytes: (bytes) => {
        spending.fetchedBytes += bytes;
        this.note = "";
        metrics.wanBytes(bytes);
      },
      budgetProblem: (pendingBytes) => spending.problem(store.manifest.sizeBytes, pendingBytes),
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
