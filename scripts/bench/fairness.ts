/**
 * `bench yield`: what a multicast leaves to a TCP flow. Sender and receivers are on two switches,
 * and all traffic shares the link between them. The flow runs for a part of the multicast. A
 * competitor with a fixed rate is measured in the same way.
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

type FairnessOptions = {
  readonly receivers: number;
  /** MB of 10^6 bytes. */
  readonly size: number;
  /** Rate of the shared link, Mbit/s. */
  readonly link: number;
  /** Congestion control of the TCP flow, as Linux names it. */
  readonly flow: string;
  readonly against: readonly "uftp"[];
  readonly timeout: number;
};
/**
 * Mbit/s on the wire (multicast) or of payload (flow); null: not measured. The field names are
 * those of the JSON output.
 */
type FairnessRow = {
  readonly program: string;
  /** Rate of the multicast before the flow. */
  readonly castAlone: number | null;
  /** Rate of the multicast during the flow. */
  readonly castBeside: number | null;
  /** Rate of the multicast after the flow. */
  readonly castAfter: number | null;
  /** Rate of the flow during the multicast. */
  readonly flowBeside: number | null;
  readonly lastMs: number | null;
  readonly verified: number;
};
type FairnessReport = { readonly flowAlone: number | null; readonly rows: readonly FairnessRow[] };

const flowProgram = join(import.meta.dir, "tcp-flow.ts");
const flowPort = 9_000;
/** Duration of the flow without multicast. */
const aloneMs = 4_000;
/** Phases of the multicast: before, during and after the flow. */
const flowFromMs = 4_000;
const flowMs = 6_000;
const afterMs = 4_000;
/** Start of each phase that is not measured: the search for the rate, and TCP's slow start. */
const settlingMs = 1_500;
/** Burst of the shared link's token bucket. */
const linkBurstBytes = 65_536;
/**
 * Rate of a fixed-rate sender ÷ rate of the link, as an administrator who knows the link sets it.
 */
const fixedRateShare = 0.9;

type Sample = readonly [atMs: number, bytes: number];

/** Moves the receivers to a second switch, behind a link of `mbit`. */
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

/**
 * Returns Mbit/s between the first and the last sample of the interval; null without two samples.
 */
export function rateBetween(samples: readonly Sample[], fromMs: number, untilMs: number): number | null {
  const within = samples.filter(([atMs]) => atMs >= fromMs && atMs <= untilMs);
  const [first, last] = [within[0], within.at(-1)];
  if (!first || !last || last[0] === first[0]) return null;
  return ((last[1] - first[1]) * 8) / 1_000 / (last[0] - first[0]);
}

/** TCP flow from the source's host to the last receiver's host, through the shared link. */
class Flow {
  readonly #lan: BenchLan;
  #runs = 0;

  private constructor(lan: BenchLan) {
    this.#lan = lan;
  }

  /**
   * Starts the flow's sender beyond the router. On the host of the link itself, TCP small queues
   * would limit what the socket may have queued.
   */
  static async open(lan: BenchLan, congestionControl: string): Promise<Flow> {
    const flow = new Flow(lan);
    const { network } = lan.world;
    await controlCongestion(network, lan.receivers[0]!.site, congestionControl);
    flow.#launch(network.source, "sender", ["give", String(flowPort)]);
    return flow;
  }

  #launch(namespace: string, name: string, words: readonly string[]): RunningProgram {
    return launch({
      name: `flow ${name}`,
      command: [...inside(namespace), process.execPath, flowProgram, ...words],
      logFile: join(this.#lan.world.folder, `flow-${name}.log`),
    });
  }

  /** Starts a receiver of the flow; the flow lasts until that program is stopped. */
  connect(): RunningProgram {
    const { world, receivers } = this.#lan;
    const { namespace } = receivers.at(-1)!.place;
    const name = `receiver-${++this.#runs}`;
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

/** Measures the flow alone, then this project and the competitors with the flow. */
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
    const fixedRate = { rate: options.link * fixedRateShare, lossPercent: 0, isEncrypted: false };
    const other = await prepareCompetitor(name, lan, { ...fixedRate, signal: cleanup.interrupted });
    rows.push(await runContender(`${name}, fixed rate`, other, flow, options, cleanup));
    await endCompetitor(name, lan, other);
  }
  return { flowAlone, rows };
}

export function fairnessText({ flowAlone, rows }: FairnessReport, options: FairnessOptions): string {
  const head = [
    "program",
    "multicast alone",
    "with the flow",
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
