/** `bench scale`: cost of more receivers in bytes on the LAN, processor time and feedback. */
import type { Cleanup } from "../rig/cleanup.ts";
import { alignTable } from "../rig/table.ts";
import type { AgentStatus } from "../../shared/agent/status/status-server.ts";
import { askAgent } from "../lab/agent-status.ts";
import type { WorldDevice } from "../lab/world.ts";
import { fixed, ratioOf, secondsText } from "../rig/figures.ts";
import { endFlockcast, prepareFlockcast } from "./flockcast.ts";
import { figuresOf } from "./lan.ts";
import { openLan, type BenchLan } from "./lan-world.ts";
import { measureTransfer, showFailure, type TransferResult } from "./transfer.ts";

type ScaleOptions = {
  readonly receivers: readonly number[];
  /** MB of 10^6 bytes. */
  readonly size: number;
  readonly rate: number;
  readonly loss: number;
  readonly cutRuns?: boolean | undefined;
  readonly timeout: number;
};
type ScaleRow = {
  readonly receivers: number;
  /**
   * Multicast frames that all receivers sent, from when the sender holds the package until the last
   * receiver is complete.
   */
  readonly feedbackFrames: number;
  /** Package bytes that the sender and all receivers sent by unicast. */
  readonly unicastBytes: number;
  readonly result: TransferResult;
};

async function sumOver(devices: readonly WorldDevice[], read: (of: AgentStatus) => number): Promise<number> {
  const statuses = await Promise.all(devices.map(askAgent));
  return statuses.reduce((sum, status) => sum + (status ? read(status) : 0), 0);
}

const framesSentBy = ({ receivers }: BenchLan): Promise<number> =>
  sumOver(receivers, ({ lan }) => lan.framesSent);
const unicastBytesSentBy = ({ sender, receivers }: BenchLan): Promise<number> =>
  sumOver([sender, ...receivers], ({ exchange }) => exchange.bytesSent);

async function runNumber(receivers: number, options: ScaleOptions, cleanup: Cleanup): Promise<ScaleRow> {
  const { size, rate, loss, cutRuns, timeout } = options;
  const lan = await openLan({ receivers, size, cutRuns }, cleanup);
  await lan.lose(loss);
  try {
    const prepared = await prepareFlockcast(lan, { rate, signal: cleanup.interrupted });
    const before = await framesSentBy(lan);
    let after = before;
    let unicastBytes = 0;
    const settle = async () => {
      after = await framesSentBy(lan);
      unicastBytes = await unicastBytesSentBy(lan);
      await prepared.settle();
    };
    const transfer = { limitMs: timeout * 1_000, signal: cleanup.interrupted };
    const result = await measureTransfer({ ...prepared, settle }, transfer);
    await showFailure(prepared, result);
    return { receivers, feedbackFrames: after - before, unicastBytes, result };
  } finally {
    await endFlockcast(lan);
  }
}

/** Measures one transfer for each number of receivers, on a LAN of its own. */
export async function runScale(options: ScaleOptions, cleanup: Cleanup): Promise<ScaleRow[]> {
  const rows: ScaleRow[] = [];
  for (const receivers of options.receivers) {
    const row = await runNumber(receivers, options, cleanup);
    console.error(`${receivers} receivers: ${secondsText(row.result.lastMs)}`);
    rows.push(row);
  }
  return rows;
}

export function scaleText(rows: readonly ScaleRow[], options: ScaleOptions): string {
  const head = [
    "receivers",
    "last",
    "LAN ÷ package",
    "of which unicast",
    "sender CPU s/GB",
    "receiver CPU s/GB",
    "feedback frames/s",
    "verified",
  ];
  const lines = rows.map(({ receivers, feedbackFrames, unicastBytes, result }) => {
    const figures = figuresOf(result, options.size, options.rate);
    return [
      String(receivers),
      secondsText(result.lastMs),
      fixed(figures.lanToPackage, 3),
      fixed(unicastBytes / (options.size * 1e6), 3),
      fixed(figures.senderCpuPerGb),
      fixed(figures.receiverCpuPerGb),
      fixed(ratioOf(feedbackFrames * 1_000, result.lastMs), 1),
      `${result.verified}/${receivers}`,
    ];
  });
  return `\n${options.size} MB at ${options.rate} Mbit/s, ${options.loss} % loss at each receiver\n${alignTable([head, ...lines], 0)}`;
}
