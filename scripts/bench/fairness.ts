/**
 * `bench yield`: what a multicast leaves to others. Sender and receivers are on two switches, and one link between them
 * is what all share; a TCP flow of other hosts comes and goes while the multicast runs. A sender of fixed rate beside.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Cleanup } from "../rig/cleanup.ts";
import { portOf } from "../lab/site.ts";
import { inside, ip, limitRate } from "../lab/namespace.ts";
import { controlCongestion } from "../lab/topology.ts";
import { launch, type RunningProgram } from "../rig/process.ts";
import { alignTable } from "../rig/table.ts";
import { createTimers } from "./fault-rows.ts";
import { fixed, ratioOf, secondsText } from "../rig/figures.ts";
import { endFlockcast, prepareFlockcast } from "./flockcast.ts";
import { openLan, type BenchLan } from "./lan-world.ts";
import { endCompetitor, prepareCompetitor } from "./competitors.ts";
import { measureTransfer, sentBytesOf, showFailure, type Prepared } from "./transfer.ts";

export type FairnessOptions = {
  readonly receivers: number;
  /** MB of 10^6 bytes. */
  readonly size: number;
  /** Mbit/s that the shared link carries. */
  readonly link: number;
  /** Congestion control of the TCP flow, as Linux names it. */
  readonly flow: string;
  readonly against: readonly "uftp"[];
  readonly timeout: number;
};
/** Mbit/s on the wire (multicast) or of payload (flow). */
export type FairnessRow = {
  readonly program: string;
  readonly castAlone: number | null;
  readonly castBeside: number | null;
  readonly castAfter: number | null;
  readonly flowBeside: number | null;
  readonly lastMs: number | null;
  readonly verified: number;
};
export type FairnessReport = { readonly flowAlone: number | null; readonly rows: readonly FairnessRow[] };

const flowProgram = join(import.meta.dir, "tcp-flow.ts");
const flowPort = 9_000;
/** Of the flow alone; and of the multicast before the flow comes, beside it, and after it went. */
const aloneMs = 4_000;
const flowFromMs = 4_000;
const flowMs = 6_000;
const afterMs = 4_000;
/** The search for the rate, and TCP's own beginning, are no part of it. */
const settlingMs = 1_500;
/** Burst of the shared link's token bucket. */
const linkBurstBytes = 65_536;
/** A fixed-rate sender is told a little less than the link carries, as whoever knew it would. */
const fixedRateShare = 0.9;

type Sample = readonly [atMs: number, bytes: number];

/** The receivers' switch, behind a link of that rate. */
async function splitLan({ world, receivers }: BenchLan, mbit: number): Promise<void> {
  const { router } = receivers[0]!.site;
  await ip(router, [
    "link add far type bridge mcast_snooping 0",
    "link set far up",
    "link add trunk0 gso_max_segs 1 type veth peer name trunk1 gso_max_segs 1",
    "link set trunk0 master lan",
    "link set trunk1 master far",
    "link set trunk0 up",
    "link set trunk1 up",
    ...receivers.map((device) => `link set ${portOf(world.devices.indexOf(device))} master far`),
  ]);
  await limitRate(router, "trunk0", mbit, linkBurstBytes);
  await limitRate(router, "trunk1", mbit, linkBurstBytes);
}

const samplesOf = async (program: RunningProgram): Promise<Sample[]> => {
  const text = await readFile(program.logFile, "utf8").catch(() => "");
  return [...text.matchAll(/^(\d+) (\d+)$/gm)].map(([, atMs, bytes]) => [Number(atMs), Number(bytes)]);
};

/** Mbit/s between the first and the last sample of that time; null: there are not two. */
export function rateBetween(samples: readonly Sample[], fromMs: number, untilMs: number): number | null {
  const within = samples.filter(([atMs]) => atMs >= fromMs && atMs <= untilMs);
  const [first, last] = [within[0], within.at(-1)];
  if (!first || !last || last[0] === first[0]) return null;
  return ((last[1] - first[1]) * 8) / 1_000 / (last[0] - first[0]);
}

class Flow {
  readonly #lan: BenchLan;
  #runs = 0;

  private constructor(lan: BenchLan) {
    this.#lan = lan;
  }

  /** The giver is beyond the router: the kernel's limit for what a socket may have queued on its own host (TSQ) ends there. */
  static async open(lan: BenchLan, congestionControl: string): Promise<Flow> {
    const flow = new Flow(lan);
    const { network } = lan.world;
    await controlCongestion(network, lan.receivers[0]!.site, congestionControl);
    flow.#launch(network.source, "giver", ["give", String(flowPort)]);
    return flow;
  }

  #launch(namespace: string, name: string, words: readonly string[]): RunningProgram {
    return launch({
      name: `flow ${name}`,
      command: [...inside(namespace), process.execPath, flowProgram, ...words],
      logFile: join(this.#lan.world.folder, `flow-${name}.log`),
    });
  }

  /** To the last receiver's host, from the sender's side of the link. */
  connect(): RunningProgram {
    const { world, receivers } = this.#lan;
    const { namespace } = receivers.at(-1)!.place;
    const name = `taker-${++this.#runs}`;
    return this.#launch(namespace, name, ["take", world.network.sourceAddress, String(flowPort)]);
  }
}

async function runContender(
  program: string,
  prepared: Prepared,
  flow: Flow,
  { timeout }: FairnessOptions,
  cleanup: Cleanup,
): Promise<FairnessRow> {
  const clock = createTimers(cleanup);
  const casts: Sample[] = [];
  let beganAtMs = 0;
  let receiver: RunningProgram | null = null;
  const sample = async (): Promise<void> => {
    const { pid } = prepared.sender.program()!;
    casts.push([Date.now(), await sentBytesOf(pid)]);
  };
  const onBegun = (atMs: number): void => {
    beganAtMs = atMs;
    for (let ms = 0; ms <= flowFromMs + flowMs + afterMs; ms += 250) clock.after(ms, sample);
    clock.after(flowFromMs, () => void (receiver = flow.connect()));
    clock.after(flowFromMs + flowMs, () => receiver?.stop("SIGTERM").then());
  };
  try {
    const transfer = { limitMs: timeout * 1_000, signal: cleanup.interrupted, onBegun };
    const result = await measureTransfer(prepared, transfer);
    await showFailure(prepared, result);
    const [flowAt, flowEnd] = [beganAtMs + flowFromMs, beganAtMs + flowFromMs + flowMs];
    const lastAt = beganAtMs + (result.lastMs ?? 0);
    return {
      program,
      castAlone: rateBetween(casts, beganAtMs + settlingMs, flowAt),
      castBeside: rateBetween(casts, flowAt + settlingMs, flowEnd),
      castAfter: rateBetween(casts, flowEnd + settlingMs, Math.min(lastAt, flowEnd + afterMs)),
      flowBeside: receiver && rateBetween(await samplesOf(receiver), flowAt + settlingMs, flowEnd),
      lastMs: result.lastMs,
      verified: result.verified,
    };
  } finally {
    await clock.end();
  }
}

export async function runFairness(options: FairnessOptions, cleanup: Cleanup): Promise<FairnessReport> {
  const lan = await openLan(options, cleanup);
  await splitLan(lan, options.link);
  const flow = await Flow.open(lan, options.flow);
  const alone = flow.connect();
  await Bun.sleep(settlingMs + aloneMs);
  await alone.stop("SIGTERM");
  const samples = await samplesOf(alone);
  const flowAlone = rateBetween(samples, (samples[0]?.[0] ?? 0) + settlingMs, Infinity);
  const rows: FairnessRow[] = [];
  const prepared = await prepareFlockcast(lan, { rate: null, signal: cleanup.interrupted });
  rows.push(await runContender("flockcast", prepared, flow, options, cleanup));
  await endFlockcast(lan);
  for (const name of options.against) {
    const told = { rate: options.link * fixedRateShare, lossPercent: 0, isEncrypted: false };
    const other = await prepareCompetitor(name, lan, { ...told, signal: cleanup.interrupted });
    rows.push(await runContender(`${name}, fixed rate`, other, flow, options, cleanup));
    await endCompetitor(name, lan, other);
  }
  return { flowAlone, rows };
}

export function fairnessText({ flowAlone, rows }: FairnessReport, options: FairnessOptions): string {
  const head = [
    "program",
    "multicast alone",
    "beside the flow",
    "after it",
    "the flow",
    "÷ flow alone",
    "last",
    "verified",
  ];
  const lines = rows.map((row) => [
    row.program,
    fixed(row.castAlone, 1),
    fixed(row.castBeside, 1),
    fixed(row.castAfter, 1),
    fixed(row.flowBeside, 1),
    fixed(ratioOf(row.flowBeside, flowAlone)),
    secondsText(row.lastMs),
    `${row.verified}/${options.receivers}`,
  ]);
  const about = `${options.size} MB to ${options.receivers} receivers behind one link of ${options.link} Mbit/s, which a TCP flow (${options.flow}) shares for ${flowMs / 1_000} s; alone it has ${fixed(flowAlone, 1)} Mbit/s; rates in Mbit/s`;
  return `\n${about}\n${alignTable([head, ...lines], 1)}`;
}
