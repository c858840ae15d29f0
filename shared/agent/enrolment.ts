/**
 * Enrols a device at its source: exchanges the enrolment token for the device's credential, once,
 * and stores the credential in the ledger.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { DistributionCache, Identity } from "../cache/index.ts";
import {
  enrollDevice,
  parseEnrollToken,
  parseSourceUrl,
  SourceError,
  SourceTransport,
  type SourceToken,
} from "../api/agent-client.ts";
import { statementAt } from "../api/request.ts";
import type { Logger } from "../log.ts";
import { backoffMs, type Backoff } from "../model/backoff.ts";
import { movedTo } from "./home.ts";
import { nameOfDevice } from "./inventory.ts";

/**
 * Back-off while the source is unreachable. A minute at most, so that a device whose network comes
 * up after the agent enrols soon.
 */
const enrolmentBackoff: Backoff = { baseMs: 1_000, maxMs: 60_000, jitter: [0.75, 1.25] };

/** An error in the command line or the data folder. The program prints its message and exits. */
export class SetupError extends Error {}

/**
 * Returns the identity of this device at the source, from the ledger or by enrolment. Retries while
 * the source is unreachable, because an agent may start before its network.
 * @throws Error when the source's URL is malformed
 * @throws SetupError when a retry cannot help
 */
export async function identify(options: {
  dataFolder: string;
  cache: DistributionCache;
  sourceUrl: string;
  token: string | undefined;
  log: Logger;
  signal: AbortSignal;
  random: () => number;
}): Promise<Identity> {
  const sourceUrl = parseSourceUrl(options.sourceUrl);
  const known = options.cache.ledger.identity();
  const token = options.token === undefined ? null : parseToken(options.token);
  if (known && (token === null || token.identity === known.sourceIdentity))
    return atAddress(known, sourceUrl, options);
  if (known && isAddressOf(known, sourceUrl)) {
    throw new SetupError(
      `The token is for another source than that of this device, ${known.sourceUrl}: give the token of that source, or none; ` +
        "to enrol at the other source, give its --source, or another --data",
    );
  }
  if (!options.token) {
    throw new SetupError(
      "This device is not enrolled yet: give --enroll TOKEN (the line in enroll.token in the source's data folder)",
    );
  }
  const identity = await enroll({ ...options, token: options.token, sourceUrl });
  options.cache.ledger.saveIdentity(identity);
  // Files of commands of another deployment, whose tasks have the same ids.
  if (known && known.deployment !== identity.deployment)
    rmSync(join(options.dataFolder, "tasks"), { recursive: true, force: true });
  options.log.info({ deviceId: identity.deviceId, source: sourceUrl }, "enrolled");
  return identity;
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
  { cache, log }: { cache: DistributionCache; log: Logger },
): Promise<Identity> {
  if (isAddressOf(known, sourceUrl)) return known;
  const transport = new SourceTransport({
    url: sourceUrl,
    identity: known.sourceIdentity,
    spki: known.tlsSpki,
  });
  try {
    await statementAt(transport);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof SourceError && error.kind === "unauthorized") {
      throw new SetupError(
        `This data folder belongs to a device of ${known.sourceUrl}, and ${sourceUrl} is not an address of that source: give that --source, another --data, or --enroll TOKEN to enrol at ${sourceUrl}. ${message}`,
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

async function enroll(options: {
  sourceUrl: string;
  token: string;
  log: Logger;
  signal: AbortSignal;
  random: () => number;
}): Promise<Identity> {
  const { sourceUrl, token, log, signal, random } = options;
  for (let attempt = 0; ; attempt++) {
    try {
      const enrolled = await enrollDevice(sourceUrl, { token, ...nameOfDevice() }, { signal });
      return {
        sourceUrl,
        deviceId: enrolled.deviceId,
        credential: enrolled.credential,
        deployment: enrolled.deployment,
        publisherKeys: [],
        sourceIdentity: enrolled.identity,
        tlsSpki: enrolled.tlsSpki,
        announcedUrl: null,
        formerUrls: [],
      };
    } catch (error) {
      if (signal.aborted) throw new SetupError("stopped before the device was enrolled");
      if (!(error instanceof SourceError) || error.kind !== "unreachable") {
        throw new SetupError(
          `Cannot enrol at ${sourceUrl}: ${error instanceof Error ? error.message : String(error)}`,
          { cause: error },
        );
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
