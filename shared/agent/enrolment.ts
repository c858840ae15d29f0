/**
 * Gives the agent its identity at the source: from the ledger, by the enrolment token, or by a
 * credential that several agents use. Stores it in the ledger.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { DistributionCache, Identity } from "../cache/index.ts";
import {
  enrollClone,
  enrollDevice,
  parseEnrollToken,
  parseSourceUrl,
  SourceError,
} from "../api/agent-client.ts";
import type { EnrollResponse } from "../api/schema/agent.ts";
import type { Logger } from "../log.ts";
import { backoffMs, type Backoff } from "../model/backoff.ts";
import type { BarCode } from "../model/enrolment.ts";
import { instance } from "./instance.ts";
import { nameOfDevice } from "./inventory.ts";
import { machineDigest } from "./machine-identity.ts";

/**
 * Back-off while the source is unreachable. A minute at most, so that a device whose network comes
 * up after the agent enrols soon.
 */
const enrolmentBackoff: Backoff = { baseMs: 1_000, maxMs: 60_000, jitter: [0.75, 1.25] };

/** An error in the command line or the data folder. The program prints its message and exits. */
export class SetupError extends Error {}

/** The device was removed from its source. A restart of the program does not help. */
export class BarredError extends SetupError {}

type IdentifyOptions = {
  dataFolder: string;
  cache: DistributionCache;
  sourceUrl: string;
  token: string | undefined;
  log: Logger;
  signal: AbortSignal;
  random: () => number;
};

/**
 * Returns the identity of this device at the source, from the ledger or by enrolment. Retries while
 * the source is unreachable, because an agent may start before its network.
 * @throws Error when the source's URL is malformed
 * @throws SetupError when a retry cannot help; BarredError when the device was removed
 */
export async function identify(options: IdentifyOptions): Promise<Identity> {
  const sourceUrl = parseSourceUrl(options.sourceUrl);
  const known = options.cache.ledger.identity();
  if (known !== null && known.sourceUrl === sourceUrl) {
    const code = known.barred?.code;
    if (code === undefined) return known;
    if (code === "device-cloned") return adopt(options, known, await enrolClone(options, known));
    if (code === "device-removed" || (code === "device-replaced" && !options.token)) throw barredError(known);
  }
  if (!options.token) {
    throw new SetupError(
      known && known.sourceUrl !== sourceUrl
        ? `This data folder belongs to a device of ${known.sourceUrl}: give that --source, another --data, or --enroll TOKEN to enrol at ${sourceUrl}`
        : "This device is not enrolled yet: give --enroll TOKEN (the line in enroll.token in the source's data folder)",
    );
  }
  assertToken(options.token);
  return adopt(options, known, await enroll(options, sourceUrl, options.token));
}

/** Stores a new identity, and returns it. */
function adopt(
  { cache, dataFolder, log }: IdentifyOptions,
  known: Identity | null,
  next: Identity,
): Identity {
  cache.ledger.saveIdentity(next);
  // Files of commands of another deployment, whose tasks have the same ids.
  if (known && known.deployment !== next.deployment)
    rmSync(join(dataFolder, "tasks"), { recursive: true, force: true });
  log.info({ deviceId: next.deviceId, source: next.sourceUrl, before: known?.deviceId }, "enrolled");
  return next;
}

/** Returns what a refusal means, and what a person can do. */
export function barText(code: BarCode, dataFolder: string | null): string {
  const folder = dataFolder === null ? "DIR" : `"${dataFolder}"`;
  const again = `forget --data ${folder}, then run --enroll TOKEN`;
  if (code === "device-removed")
    return `this device was removed from its source; to enrol it again: ${again}`;
  if (code === "device-replaced")
    return `a new installation on the same machine took the place of this device; if this is another machine: ${again}`;
  return "several agents use the identity of this device; each one gets its own";
}

function barredError({ barred }: Identity): BarredError {
  const { code, atMs } = barred!;
  if (code === "forgotten") throw new TypeError("a forgotten identity is no barred one");
  const text = barText(code, null);
  return new BarredError(`${text[0]!.toUpperCase()}${text.slice(1)} (since ${new Date(atMs).toISOString()})`);
}

/** Stores that the source refuses the credential for good. */
export function saveBar(cache: DistributionCache, code: BarCode | "forgotten", atMs: number): void {
  const identity = cache.ledger.identity();
  if (identity !== null) cache.ledger.saveIdentity({ ...identity, barred: { code, atMs } });
}

function assertToken(token: string): void {
  try {
    parseEnrollToken(token);
  } catch (error) {
    throw new SetupError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

const toIdentity = (sourceUrl: string, enrolled: EnrollResponse): Identity => ({
  sourceUrl,
  deviceId: enrolled.deviceId,
  credential: enrolled.credential,
  deployment: enrolled.deployment,
  publisherKeys: [],
});

async function enroll(options: IdentifyOptions, sourceUrl: string, token: string): Promise<Identity> {
  const { dataFolder, signal } = options;
  const machineOf = (deployment: number): Promise<string> => machineDigest(dataFolder, deployment);
  const enrolled = await untilReached(options, sourceUrl, () =>
    enrollDevice(sourceUrl, { token, ...nameOfDevice(), instance }, { signal, machineOf }),
  );
  return {
    ...toIdentity(sourceUrl, enrolled),
    ...(enrolled.ca === undefined ? {} : { tlsPin: enrolled.ca }),
  };
}

/** Keeps what the ledger knows of the source: its certificate and the publisher's keys. */
async function enrolClone(options: IdentifyOptions, known: Identity): Promise<Identity> {
  const { barred: _, ...rest } = known;
  const { sourceUrl, credential, tlsPin: ca, deployment } = known;
  const machine = await machineDigest(options.dataFolder, deployment);
  const enrolled = await untilReached(options, sourceUrl, () =>
    enrollClone({ sourceUrl, credential, ca }, { ...nameOfDevice(), machine, instance }, options.signal),
  );
  return { ...rest, ...toIdentity(sourceUrl, enrolled), publisherKeys: known.publisherKeys };
}

/** Repeats a request while the source cannot be reached. */
async function untilReached<T>(
  { log, signal, random, cache }: IdentifyOptions,
  sourceUrl: string,
  request: () => Promise<T>,
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await request();
    } catch (error) {
      if (signal.aborted) throw new SetupError("stopped before the device was enrolled");
      if (!(error instanceof SourceError) || error.kind !== "unreachable") {
        const message = `Cannot enrol at ${sourceUrl}: ${error instanceof Error ? error.message : String(error)}`;
        if (!(error instanceof SourceError) || error.code === undefined)
          throw new SetupError(message, { cause: error });
        saveBar(cache, error.code, Date.now());
        throw new BarredError(message, { cause: error });
      }
      const retryInMs = backoffMs(enrolmentBackoff, attempt, random);
      log.warn({ error: error.message, retryInMs }, "the source cannot be reached yet");
      await sleepUnless(signal, retryInMs);
    }
  }
}

/** Resolves early when the agent is asked to stop. */
function sleepUnless(signal: AbortSignal, ms: number): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  signal.addEventListener("abort", () => resolve(), { once: true });
  return promise.finally(() => clearTimeout(timer));
}
