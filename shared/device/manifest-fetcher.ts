/**
 * Gets the manifest of a package: from another device of the subnet if one has it, otherwise from
 * the source, so that it crosses the WAN once per subnet.
 *
 * The source names devices that have it or fetch it. It gives it to a device that could not get it
 * from them, as on a network that isolates its clients. The package's id is the digest of the
 * manifest, so it may come from any device.
 */
import { manifestAttemptsMax, type AgentTask } from "../api/schema/agent.ts";
import { unpackManifest } from "../api/packed-manifest.ts";
import { SourceError } from "../api/source-error.ts";
import { sleep } from "../model/clock.ts";
import { packageId } from "../model/manifest-codec.ts";
import { ManifestError } from "../model/manifest-error.ts";
import { checkSignature, type SignedManifest } from "../model/signing.ts";
import type { PeerAddress, PeerConnection } from "../net/exchange/peers.ts";
import { keysOf } from "./package-keys.ts";
import type { DevicePorts } from "./ports.ts";

/**
 * Waits between the rounds of one attempt, which ask each named holder: a holder may be fetching
 * the manifest itself.
 */
const roundWaitsMs = [100, 200, 400, 800, 1_600];
const checkInPollMs = 50;
/**
 * Attempts for which one counts that reached no holder, and the wait after it. The holders may be
 * strangers that only claim to be on this subnet.
 */
const unreachableAttempts = 3;
const unreachableWaitMs = 1_600;

/** @throws SourceError; the signal's reason when it is aborted */
export async function fetchManifest(
  ports: DevicePorts,
  task: AgentTask,
  signal: AbortSignal,
): Promise<SignedManifest> {
  const { source, peers, place, lan, clock, random } = ports;
  const connection = peers.connect(keysOf(task).map((key) => ({ key, session: lan.sessionOf(key) })));
  try {
    let holders: readonly PeerAddress[] = [];
    let attempt = 0;
    for (;;) {
      signal.throwIfAborted();
      const { address, subnetId } = place;
      if (subnetId === null && !address.startsWith("127.")) {
        // The source assigns the subnet at the next check-in.
        await sleep(clock, checkInPollMs, signal);
        continue;
      }
      const request = {
        taskId: task.id,
        epoch: task.epoch,
        subnetId,
        address,
        lanPort: peers.lanPort,
        attempt,
      };
      const known = holders;
      const answer = await source.manifest(request, signal).catch((error: unknown) => {
        signal.throwIfAborted();
        // The holders that the source named before need no source; a refusal is another matter.
        const isRefused = error instanceof SourceError && error.kind === "refused";
        if (known.length === 0 || isRefused) throw error;
        return { result: "elsewhere", holders: known } as const;
      });
      if (answer.result === "granted") return answer.signed;
      holders = answer.holders;
      let counts = 1;
      for (const waitMs of roundWaitsMs) {
        const found = await askHolders(ports, task, connection, holders);
        if (found instanceof Object) return found;
        if (found === "unreachable") counts = unreachableAttempts;
        await sleep(clock, (found ? unreachableWaitMs : waitMs) * (0.75 + 0.5 * random()), signal);
        if (found === "unreachable") break;
      }
      // Without the source the next attempt is with the same holders.
      if (answer.holders !== known) attempt = Math.min(attempt + counts, manifestAttemptsMax);
    }
  } finally {
    connection.close();
  }
}

/** Returns the manifest of the first holder that has it; null if none does. */
async function askHolders(
  ports: DevicePorts,
  task: AgentTask,
  connection: PeerConnection,
  holders: readonly PeerAddress[],
): Promise<SignedManifest | "unreachable" | null> {
  let answered = 0;
  const found = await Promise.any(
    holders.map(async (holder) => {
      const packed = await connection.manifest(holder);
      if (packed !== "unreachable") answered++;
      const signed = packed instanceof Uint8Array ? await unpackManifest(packed) : null;
      if (signed === null || !isManifestOf(signed, task, ports)) throw new Error("it is not there");
      return signed;
    }),
  ).catch(() => null);
  return found ?? (answered === 0 ? "unreachable" : null);
}

function isManifestOf(signed: SignedManifest, task: AgentTask, { publisherKeys }: DevicePorts): boolean {
  if (packageId(signed.manifest) !== task.packageId) return false;
  try {
    checkSignature(signed, publisherKeys(task.packageName));
    return true;
  } catch (error) {
    if (error instanceof ManifestError) return false;
    throw error;
  }
}
