/**
 * This project as a contender: the real source and real agents. The sender's agent always volunteers; it downloads the
 * package before the multicast begins, within the session start delay, so that only the LAN is measured.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { defaultSettingValues } from "../../shared/model/setting.ts";
import type { WorldDevice } from "../lab/world.ts";
import { logTail } from "../rig/process.ts";
import { differenceFrom } from "../rig/verify.ts";
import type { BenchLan } from "./lan-world.ts";
import type { Host, Prepared } from "./transfer.ts";

export type FlockcastOptions = {
  /** Mbit/s of payload; null: it finds the rate. */
  readonly rate: number | null;
  /** Receivers that the caller starts later, or not at all. */
  readonly heldBack?: ReadonlySet<WorldDevice>;
  readonly signal: AbortSignal;
};

/** Beside the session start delay. */
const readyLimitMs = 60_000;
const watchMs = 10;
/** Of the representative's download and reading back, per MB; and what an election takes. */
const delayPerMbMs = 40;
const delayMinMs = 6_000;
/** For their counters to be read before the multicast begins. */
const delayPerReceiverMs = 100;
/** For the wake-up streams to be open and the LAN to be quiet. */
const quietMs = 1_500;

/** Time of the first line of the agent's log that says `message`, and, if given, of this life of the task. */
export async function loggedAtMs(
  device: WorldDevice,
  message: string,
  life?: string,
): Promise<number | null> {
  const text = await readFile(`${device.data}.log`, "utf8").catch(() => "");
  for (const line of text.split("\n")) {
    if (!line.includes(message)) continue;
    const said = parseLine(line);
    if (said?.msg === message && (life === undefined || said.life === life)) return Date.parse(said.time);
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
  ...said: [string, string?]
) {
  const giveUpAtMs = performance.now() + limitMs;
  while (!signal.aborted && performance.now() < giveUpAtMs) {
    const atMs = await loggedAtMs(device, ...said);
    if (atMs !== null) return atMs;
    await Bun.sleep(watchMs);
  }
  const tail = device.device ? await logTail(device.device.program) : "it was not started";
  throw new Error(`${device.place.name} did not say "${said.join(" ")}" in time:\n${tail}`);
}

const hostOf = (device: WorldDevice): Host => ({ device, program: () => device.device?.program ?? null });

/** Starts new agents and a task for all of them; answers when the sender holds the package and waits to multicast. */
export async function prepareFlockcast(lan: BenchLan, options: FlockcastOptions): Promise<Prepared> {
  const { world, sender, receivers } = lan;
  const { heldBack, signal } = options;
  const delayMs = Math.round(
    delayMinMs + (delayPerMbMs * world.sent.sizeBytes) / 1e6 + delayPerReceiverMs * receivers.length,
  );
  const setting = [
    `sessionStartDelay=${delayMs}ms`,
    `lanRate=${options.rate === null ? "none" : Math.round(options.rate * 1e6)}`,
    // It would take the package before the multicast that is measured.
    "useDeputy=false",
    // Nobody but the sender stands, which volunteers all the same: of dozens of agents that wake up at once another's claim may come first.
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
  // From here on the receivers are what they are by default.
  const { representativeWeight } = defaultSettingValues;
  await world.source.admin("setting", "set", "default", `representativeWeight=${representativeWeight}`);
  // They ask the source what changed: that is no part of the transfer.
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
    // Every agent is told, and asks for more: the next one shall not find this task.
    end: async () => void (await world.source.admin("task", "cancel", task)),
  };
}

/** Ends the agents; the network stays. */
export async function endFlockcast({ world }: BenchLan): Promise<void> {
  await Promise.all(world.devices.map((device) => device.device?.program.stop("SIGTERM", 5_000)));
}
