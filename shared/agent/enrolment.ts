/**
 * Gives the agent its identity at the source: from the ledger, by the enrolment token, or by a
 * credential that several agents use. Stores it in the ledger.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { DistributionCache, Identity } from "../cache/index.ts";
import {
  createAgentClient,
  enrollClone,
  enrollDevice,
  enrollPending,
  parseEnrollToken,
  parseSourceUrl,
  readPin,
  SourceError,
  SourceTransport,
  type SourcePin,
  type SourceToken,
} from "../api/agent-client.ts";
import { statementAt } from "../api/request.ts";
import type { EnrollResponse } from "../api/schema/agent.ts";
import type { Logger } from "../log.ts";
import { backoffMs, type Backoff } from "../model/backoff.ts";
import type { BarCode } from "../model/enrolment.ts";
import { isUnknownDevice } from "./contact.ts";
import { movedTo } from "./home.ts";
import { instance } from "./instance.ts";
import { printLine } from "../standard-output.ts";
import { nameOfDevice } from "./inventory.ts";
import { machineDigest } from "./machine-identity.ts";

/**
 * Back-off while the source is unreachable. A minute at most, so that a device whose network comes
 * up after the agent enrols soon.
 */
const enrolmentBackoff: Backoff = { baseMs: 1_000, maxMs: 60_000, jitter: [0.75, 1.25] };

/** Limit of the question whether the source knows the device. The agent starts without answer. */
const knownLimitMs = 5_000;

/** An error in the command line or the data folder. The program prints its message and exits. */
export class SetupError extends Error {}

/** The device was removed from its source. A restart of the program does not help. */
export class BarredError extends SetupError {}

type IdentifyOptions = {
  dataFolder: string;
  cache: DistributionCache;
  sourceUrl: string;
  token: string | null;
  /** Whether the machine was started for an image: the token may then be the source's identity. */
  isImaging: boolean;
  /** Why the named token is missing; null: none was named. */
  tokenProblem: string | null;
  /** Whether a source without TLS may be on another machine. */
  allowsPlainHttp: boolean;
  log: Logger;
  signal: AbortSignal;
  random: () => number;
};

/**
 * Returns the identity of this device at the source, from the ledger or by enrolment. A device that
 * the source has forgotten enrols again, and keeps its tasks. Retries while the source is
 * unreachable, because an agent may start before its network.
 * @throws Error when the source's URL is malformed
 * @throws SetupError when a retry cannot help; BarredError when the device was removed
 */
export async function identify(options: IdentifyOptions): Promise<Identity> {
  const sourceUrl = parseSourceUrl(options.sourceUrl);
  const stored = options.cache.ledger.identity();
  const known = stored?.barred?.code === "forgotten" ? null : stored;
  const pin = options.isImaging && options.token !== null ? readPin(options.token) : null;
  const token = pin ?? (options.token === null ? null : parseToken(options.token));
  const isOfSource = known !== null && (token === null || token.identity === known.sourceIdentity);
  if (isOfSource) {
    const identity = await knownIdentity(options, withRoots(options, known, token), sourceUrl);
    if (identity !== null) return identity;
  } else if (known && isAddressOf(known, sourceUrl)) {
    throw new SetupError(
      `The token is for another source than that of this device, ${known.sourceUrl}: give the token of that source, or none; ` +
        "to enrol at the other source, give its --source, or another --data",
    );
  }
  if (!options.token) {
    throw new SetupError(
      `This device is not enrolled yet: ${options.tokenProblem ?? "give --enroll-file FILE (enroll.token of the source's data folder)"}`,
    );
  }
  const enrolled =
    pin === null
      ? await enroll(options, sourceUrl, options.token)
      : await enrolByApproval(options, sourceUrl, pin);
  return adopt(options, stored, enrolled);
}

/** Takes the roots of a token. Those that the device knows stay: the token may be an old one. */
function withRoots({ cache }: IdentifyOptions, known: Identity, token: SourcePin | null): Identity {
  if (known.trustRoot !== null || token === null || token.root === null) return known;
  const rooted = { ...known, trustRoot: token.root };
  cache.ledger.saveIdentity(rooted);
  return rooted;
}

/**
 * Returns the identity at the source that the ledger names: the known one, or another one of a
 * device whose credential several agents use. Null: the device has to enrol by the token.
 * @throws BarredError when the device was removed
 */
async function knownIdentity(
  options: IdentifyOptions,
  known: Identity,
  sourceUrl: string,
): Promise<Identity | null> {
  const code = known.barred?.code;
  if (code === "device-removed" || (code === "device-replaced" && !options.token)) throw barredError(known);
  if (code === "device-replaced") return null;
  const present = await atAddress(known, sourceUrl, options);
  if (options.token && (await isForgotten(present, options.allowsPlainHttp))) {
    options.log.warn(
      { deviceId: known.deviceId },
      "the source does not know this device any more: it enrols again",
    );
    return null;
  }
  if (code !== "device-cloned") return present;
  return adopt(options, known, await enrolClone(options, present));
}

/** Stores a new identity, and returns it. */
function adopt(
  { cache, dataFolder, log }: IdentifyOptions,
  before: Identity | null,
  next: Identity,
): Identity {
  cache.ledger.saveIdentity(next);
  // Files of commands of another deployment, whose tasks have the same ids.
  if (before && before.deployment !== next.deployment)
    rmSync(join(dataFolder, "tasks"), { recursive: true, force: true });
  log.info({ deviceId: next.deviceId, source: next.sourceUrl, before: before?.deviceId }, "enrolled");
  return next;
}

/** Returns what a refusal means, and what a person can do. */
export function barText(code: BarCode, dataFolder: string | null): string {
  const folder = dataFolder === null ? "DIR" : `"${dataFolder}"`;
  const again = `forget --data ${folder}, then run --enroll-file FILE`;
  if (code === "device-removed")
    return `this device was removed from its source; to enrol it again: ${again}`;
  if (code === "device-replaced")
    return `a new installation on the same machine took the place of this device; if this is another machine: ${again}`;
  return 'several agents use the identity of this device, as copies of an image without "prepare --for-image" do; each one gets its own';
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

/** Whether the source answers, and has no device with this credential. */
async function isForgotten(
  { sourceUrl: url, sourceIdentity: identity, tlsSpki: spki, credential }: Identity,
  allowsPlainHttp: boolean,
): Promise<boolean> {
  const transport = new SourceTransport({ url, identity, spki, allowsPlainHttp });
  try {
    await createAgentClient({ transport, credential, timeoutMs: knownLimitMs }).progress([]);
    return false;
  } catch (error) {
    return isUnknownDevice(error);
  } finally {
    transport.close();
  }
}

const isAddressOf = (known: Identity, url: string): boolean =>
  [known.sourceUrl, known.announcedUrl, ...known.formerUrls].includes(url);

/**
 * Returns the identity at the address of the command line. A new address has to be one of the
 * source; while it does not answer, the known one stays, and the agent tries both.
 * @throws SetupError when another source answers at the address
 */
async function atAddress(
  known: Identity,
  sourceUrl: string,
  { cache, log, allowsPlainHttp }: Pick<IdentifyOptions, "cache" | "log" | "allowsPlainHttp">,
): Promise<Identity> {
  if (isAddressOf(known, sourceUrl)) return known;
  const transport = new SourceTransport({
    url: sourceUrl,
    identity: known.sourceIdentity,
    spki: known.tlsSpki,
    allowsPlainHttp,
  });
  try {
    await statementAt(transport);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof SourceError && error.kind === "unauthorized") {
      throw new SetupError(
        `This data folder belongs to a device of ${known.sourceUrl}, and ${sourceUrl} is not an address of that source: give that --source, another --data, or --enroll-file FILE to enrol at ${sourceUrl}. ${message}`,
        { cause: error },
      );
    }
    log.warn({ sourceUrl, known: known.sourceUrl, error: message }, "the new address does not answer yet");
    return known;
  } finally {
    transport.close();
  }
  const moved = { ...movedTo(known, sourceUrl), tlsSpki: transport.spki };
  cache.ledger.saveIdentity(moved);
  log.info({ from: known.sourceUrl, to: sourceUrl }, "the source has another address");
  return moved;
}

function parseToken(token: string): SourceToken {
  try {
    return parseEnrollToken(token);
  } catch (error) {
    throw new SetupError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

const idsOf = ({ deviceId, credential, deployment }: EnrollResponse) => ({
  deviceId,
  credential,
  deployment,
});

async function enroll(options: IdentifyOptions, sourceUrl: string, token: string): Promise<Identity> {
  const { dataFolder, signal, allowsPlainHttp } = options;
  const machineOf = (deployment: number): Promise<string> => machineDigest(dataFolder, deployment);
  const enrolled = await untilReached(options, sourceUrl, () =>
    enrollDevice(sourceUrl, { token, ...nameOfDevice(), instance }, { signal, machineOf, allowsPlainHttp }),
  );
  return {
    ...idsOf(enrolled),
    sourceUrl,
    trustRoot: parseToken(token).root,
    ...newSource(enrolled),
  };
}

/** Gets a credential that counts once an administrator has approved the code of this machine. */
async function enrolByApproval(
  options: IdentifyOptions,
  sourceUrl: string,
  pin: SourcePin,
): Promise<Identity> {
  const { dataFolder, signal, allowsPlainHttp } = options;
  const machineOf = (deployment: number): Promise<string> => machineDigest(dataFolder, deployment);
  const request = { ...nameOfDevice(), instance };
  const enrolled = await untilReached(options, sourceUrl, () =>
    enrollPending(sourceUrl, pin, request, { signal, machineOf, allowsPlainHttp }),
  );
  return { ...idsOf(enrolled), sourceUrl, trustRoot: pin.root, ...newSource(enrolled), isPending: true };
}

const newSource = ({ identity, tlsSpki }: { identity: string; tlsSpki: string | null }) => ({
  sourceIdentity: identity,
  tlsSpki,
  announcedUrl: null,
  formerUrls: [],
});

/** Keeps what the ledger knows of the source: its identity, roots and addresses. */
async function enrolClone(options: IdentifyOptions, known: Identity): Promise<Identity> {
  const { barred: _, ...rest } = known;
  const { sourceUrl: url, credential, deployment } = known;
  const machine = await machineDigest(options.dataFolder, deployment);
  const { sourceIdentity: identity, tlsSpki: spki } = known;
  const { allowsPlainHttp } = options;
  const transport = new SourceTransport({ url, identity, spki, allowsPlainHttp });
  try {
    const enrolled = await untilReached(options, url, () =>
      enrollClone({ transport, credential }, { ...nameOfDevice(), machine, instance }, options.signal),
    );
    return { ...rest, ...idsOf(enrolled), tlsSpki: transport.spki };
  } finally {
    transport.close();
  }
}

/** Repeats a request while the source cannot be reached. */
async function untilReached<T>(
  { log, signal, random, cache, isImaging }: IdentifyOptions,
  sourceUrl: string,
  request: () => Promise<T>,
): Promise<T> {
  let shown = "";
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
      // The person at the machine sees its screen, and not the log.
      if (isImaging && shown !== error.message) printLine(`flockcast: ${error.message}; tries again`);
      shown = error.message;
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
