#!/usr/bin/env bun
/**
 * The representative: the one device of a subnet that downloads a package over the WAN and multicasts it.
 *
 * `roles/peer.ts` imports `createRepresentative` and becomes it for as long as it is elected. Run by itself, this is an
 * agent that always volunteers: a server left on at a branch office. When to download, what to send and when to step
 * down is decided in `shared/core`.
 */
import { deviceClock, wanPauseReason, wanRateAt } from "../shared/model/wan-schedule.ts";
import type { RepresentativeContext, Representative } from "../shared/device/representative-context.ts";
import { runAgentProgram } from "../shared/agent/program.ts";
import { ChunkSender } from "../shared/device/chunk-sender.ts";
import { createErasureCode } from "../shared/fec/index.ts";
import { runDownload } from "../shared/net/web/download.ts";
import { limits } from "../shared/wire/index.ts";

/** Repair symbols that each later representative of a session leaves to the ones before it. */
const repairsPerTerm = 24;

export function createRepresentative(duty: RepresentativeContext): Representative {
  const download = createDownload(duty);
  let caster: ChunkSender | null = null;
  let castBefore = 0;
  return {
    download: download.start,
    stopDownload: download.stop,
    wakeSender() {
      caster ??= createCaster(duty);
      caster?.wake();
    },
    stepDown() {
      download.stop();
      castBefore += caster?.payloadBytesSent ?? 0;
      caster?.stop();
      caster = null;
    },
    get wanBytes() {
      return download.account.bytes;
    },
    get sentBytes() {
      return castBefore + (caster?.payloadBytesSent ?? 0);
    },
    get note() {
      return download.account.note;
    },
  };
}

function createCaster(duty: RepresentativeContext): ChunkSender | null {
  const bus = duty.bus();
  if (!bus) return null;
  let hasBegun = false;
  return new ChunkSender({
    bus,
    sender: duty.sender,
    next: () => {
      const item = duty.nextToSend();
      if (item && !hasBegun) {
        hasBegun = true;
        duty.log.info({ packageId: duty.store.id, term: duty.term() }, "multicast begins");
      }
      return item;
    },
    holds: (chunk) => duty.store.verified.has(chunk),
    readChunk: (chunk) => duty.store.readChunk(chunk),
    symbolSizeBytes: limits.symbolMaxBytes,
    code: createErasureCode(),
    rateBps: duty.rateBps,
    cipher: duty.chunkCipher,
    onSent: duty.onSymbolsSent,
    repairOffset: (duty.term() - 1) * repairsPerTerm,
    nowMs: duty.nowMs,
    onBusy: duty.onSendBusy,
    onIdle: duty.onSendIdle,
    onError: duty.onError,
  });
}

type Account = { bytes: number; note: string };

function createDownload(duty: RepresentativeContext): {
  start: () => void;
  stop: () => void;
  account: Account;
} {
  const account: Account = { bytes: 0, note: "" };
  let abort: AbortController | null = null;
  /** The download that is still winding down, so that two never run at once. */
  let running: Promise<void> = Promise.resolve();
  const run = async (own: AbortController): Promise<void> => {
    if (own.signal.aborted) return;
    const outcome = await runDownload(wanOptions(duty, account, own.signal));
    if (abort === own) abort = null;
    if (outcome.kind === "failed") account.note = outcome.reason;
    if (outcome.kind !== "aborted") duty.onDownloadEnded(outcome.kind === "failed" ? outcome.reason : null);
  };
  return {
    account,
    start() {
      if (abort) return;
      const own = new AbortController();
      abort = own;
      running = running.then(() => run(own)).catch(duty.onError);
    },
    stop() {
      abort?.abort();
      abort = null;
    },
  };
}

function wanOptions(
  duty: RepresentativeContext,
  account: Account,
  signal: AbortSignal,
): Parameters<typeof runDownload>[0] {
  const { client, log, store, setting } = duty;
  return {
    manifest: store.manifest,
    contentUrl: client.contentUrl(store.id),
    headers: { authorization: client.authorization },
    ...(client.ca === undefined ? {} : { ca: client.ca }),
    nextRun: duty.nextDownloadRun,
    isWanted: duty.isWanted,
    onChunk: async (chunk, bytes) => {
      const stored = await store.writeChunk(chunk, bytes, "wan").catch((error: unknown): never => {
        // A full disk is this device's trouble: the web site is not to blame, another device may go on.
        duty.onError(error);
        throw error;
      });
      if (stored === "stored") duty.onStored(chunk);
      return stored;
    },
    onBytes: (bytes) => {
      account.bytes += bytes;
      account.note = "";
      duty.onWanBytes(bytes);
    },
    onState: (reason) => {
      account.note = reason;
      log.info({ packageId: store.id, reason }, "download");
      duty.onChange();
    },
    rateBps: () => wanRateAt(setting(), deviceClock(Date.now())),
    pauseReason: () => wanPauseReason(setting(), Date.now(), deviceClock),
    stallMs: setting().wanStallMs,
    attempts: setting().wanAttempts,
    signal,
    random: duty.random,
  };
}

if (import.meta.main) {
  await runAgentProgram({
    name: "flockcast-representative",
    about: "An agent that always volunteers as representative of its subnet",
    volunteer: true,
    representative: createRepresentative,
  });
}
