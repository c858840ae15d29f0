/**
 * This project as a contender: the real source and real agents. The sender's agent always
 * volunteers. The sender downloads the package within the session start delay, before the multicast
 * begins, so that only the LAN is measured.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { defaultSettingValues } from "../../shared/model/setting.ts";
import type { WorldDevice } from "../lab/world.ts";
import { logTail } from "../rig/process.ts";
import { differenceFrom } from "../rig/verify.ts";
import type { BenchLan } from "./lan-world.ts";
import type { Host, Prepared } from "./transfer.ts";

type FlockcastOptions = {
  /** The setting lanRate, Mbit/s of payload; null: rate control finds the rate. */
  readonly rate: number | null;
  /** Receivers that the caller starts later, or not at all. */
  readonly heldBack?: ReadonlySet<WorldDevice>;
  readonly signal: AbortSignal;
};

/** Time limit of the preparation, in addition to the session start delay. */
const readyLimitMs = 60_000;
const pollMs = 10;
/**
 * Session start delay: time for an election, and for download and read-back per MB of the package.
 */
const delayMinMs = 6_000;
const delayPerMbMs = 40;
/** Time per receiver to read its counters before the multicast begins. */
const delayPerReceiverMs = 100;
/** Time for the wake streams to open, and for the LAN to become quiet. */
const quietMs = 1_500;

/**
 * Returns the time of the first line of the agent's log with this message; null without one.
 * @param life the task's `life` (docs/GLOSSARY.md) that the line has to carry, if given
 */
async function loggedAtMs(device: WorldDevice, message: string, life?: string): Promise<number | null> {
  const text = await readFile(`${device.data}.log`, "utf8").catch(() => "");
  for (const line of text.split("\n")) {
    if (!line.includes(message)) continue;
    const entry = parseLine(line);
    if (entry?.msg === message && (life === undefined || entry.life === life)) return Date.parse(entry.time);
  }
  return null;
}

type LogLine = { readonly time: string; readonly msg: string; readonly life?: string };

function parseLine(line: string): LogLine | null {
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return null;
  }
}

async function untilLogged(
  device: WorldDevice,
  limitMs: number,
  signal: AbortSignal,
  ...entry: [message: string, life?: string]
) {
  const giveUpAtMs = performance.now() + limitMs;
  while (!signal.aborted && performance.now() < giveUpAtMs) {
    const atMs = await loggedAtMs(device, ...entry);
    if (atMs !== null) return atMs;
    await Bun.sleep(pollMs);
  }
  const tail = device.device ? await logTail(device.device.program) : "it was not started";
  throw new Error(`${device.place.name} did not log "${entry.join(" ")}" in time:\n${tail}`);
}

const hostOf = (device: WorldDevice): Host => ({ device, program: () => device.device?.program ?? null });

/**
 * Starts new agents and a task for all of them. Resolves when the sender holds the package and
 * waits for the end of the start delay.
 * @throws Error when a step takes too long, or the multicast began too early
 */
export async function prepareFlockcast(lan: BenchLan, options: FlockcastOptions): Promise<Prepared> {
  const { world, sender, receivers } = lan;
  const { heldBack, signal } = options;
  const delayMs = Math.round(
    delayMinMs + (delayPerMbMs * world.sent.sizeBytes) / 1e6 + delayPerReceiverMs * receivers.length,
  );
  const setting = [
    `sessionStartDelay=${delayMs}ms`,
    `lanRate=${options.rate === null ? "none" : Math.round(options.rate * 1e6)}`,
    // A deputy would take the package before the multicast that is measured.
    "useDeputy=false",
    // Only the sender may lead; it volunteers at any weight. Of dozens of agents that start at
    // once, the claim of another one could be first.
    "representativeWeight=0",
  ];
  await world.source.admin("setting", "set", "default", ...setting);
  const present = [sender, ...receivers.filter((receiver) => !heldBack?.has(receiver))];
  for (const device of world.devices) await world.reset(device);
  for (const device of present) await world.start(device);
  await world.untilEnrolled(present);
  const { packageId, version } = await lan.publish();
  await Bun.sleep(quietMs);
  const task = await world.source.admin("task", "create", packageId, "--action", "pre-cache");
  const limitMs = readyLimitMs + delayMs;
  await untilLogged(sender, limitMs, signal, "task ended", "complete");
  // The receivers get the default weight again, as in a real deployment.
  const { representativeWeight } = defaultSettingValues;
  await world.source.admin("setting", "set", "default", `representativeWeight=${representativeWeight}`);
  // The agents check in after this change, which is not part of the transfer.
  await Bun.sleep(quietMs);
  if ((await loggedAtMs(sender, "multicast begins")) !== null)
    throw new Error("The multicast began before the sender held the package: the start delay is too short");
  const { name } = world.sent;
  return {
    sender: hostOf(sender),
    receivers: receivers.map(hostOf),
    begin: () => untilLogged(sender, limitMs, signal, "multicast begins"),
    completeAtMs: ({ device }) => loggedAtMs(device, "task ended", "complete"),
    difference: ({ device }) => differenceFrom(world.sent.digests, join(device.data, "cache", name, version)),
    settle: () => Bun.sleep(1_000),
    // The next transfer must not find this task. Every agent checks in after the cancelling.
    end: async () => void (await world.source.admin("task", "cancel", task)),
  };
}

/** Stops the agents and keeps the network. */
export async function endFlockcast({ world }: BenchLan): Promise<void> {
  await Promise.all(world.devices.map((device) => device.device?.program.stop("SIGTERM", 5_000)));
}
