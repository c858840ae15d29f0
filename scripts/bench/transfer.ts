/**
 * Measures one transfer from one host to all others of a LAN, in the same way for every contender.
 *
 * A contender starts its programs and reports when the first data was sent and when a receiver was
 * complete. All times are of this machine's one clock. CPU is user and system time from just before
 * the transfer until the programs exited or are idle. Bytes are the kernel's counters of the hosts'
 * own ports.
 */
import { readFile } from "node:fs/promises";
import { readUsage } from "../lab/usage.ts";
import { sentThrough } from "../lab/counters.ts";
import type { WorldDevice } from "../lab/world.ts";
import { logTail, type RunningProgram } from "../rig/process.ts";
import { lastOf, meanOf, medianOf } from "../rig/figures.ts";
import { readTicks, sharesBetween, type ProcessorShares } from "./processors.ts";

export type Host = { readonly device: WorldDevice; readonly program: () => RunningProgram | null };
/** A contender that is ready to begin. */
export type Prepared = {
  readonly sender: Host;
  readonly receivers: readonly Host[];
  /** Begins; resolves to the time of the first data, in milliseconds since 1970. */
  readonly begin: () => Promise<number>;
  /** Time at which the receiver was complete, in milliseconds since 1970; null: not yet. */
  readonly completeAtMs: (receiver: Host) => Promise<number | null>;
  /**
   * Returns the first difference between the receiver's copy and the original; null without one.
   */
  readonly difference: (receiver: Host) => Promise<string | null>;
  /** Waits, after the last receiver is complete, until the sender is idle. */
  readonly settle: () => Promise<void>;
  /** Ends the transfer; the cost of this step is not measured. */
  readonly end: () => Promise<void>;
};
type ReceiverResult = {
  readonly name: string;
  readonly completeAfterMs: number | null;
  readonly wrong: string | null;
};
export type TransferResult = {
  readonly receivers: readonly ReceiverResult[];
  /** Time until the last receiver was complete; null when one was not. */
  readonly lastMs: number | null;
  readonly medianMs: number | null;
  readonly verified: number;
  readonly sentBytes: number;
  readonly senderCpuSeconds: number;
  readonly receiverCpuSeconds: number;
  readonly senderPeakBytes: number;
  readonly receiverPeakBytes: number;
  /** Load of the whole machine, from the first data to the last receiver. */
  readonly processors: ProcessorShares;
};

const pollMs = 20;
/** Polls between two samples of the processes' memory. */
const samplePeakEvery = 10;

/** Bytes sent through `eth0` of the process's namespace, with Ethernet headers. */
export async function sentBytesOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/net/dev`, "utf8").catch(() => "");
  const fields = /^\s*eth0:\s*(.*)$/m.exec(text)?.[1]?.split(/\s+/) ?? [];
  return Number(fields[8] ?? 0);
}

/** Processor time and memory of hosts' programs. */
class Meter {
  readonly #atBegin = new Map<Host, number>();
  readonly #peaks = new Map<Host, number>();

  async #cpuSeconds(host: Host): Promise<number> {
    const program = host.program();
    if (!program) return 0;
    const usage = await readUsage(program.pid);
    if (!usage || usage.peakBytes === 0) return program.cpuSecondsAtEnd() ?? usage?.cpuSeconds ?? 0;
    this.#peaks.set(host, Math.max(this.#peaks.get(host) ?? 0, usage.peakBytes));
    return usage.cpuSeconds;
  }

  async begin(hosts: readonly Host[]): Promise<void> {
    for (const host of hosts) this.#atBegin.set(host, await this.#cpuSeconds(host));
  }

  async sample(hosts: readonly Host[]): Promise<void> {
    for (const host of hosts) await this.#cpuSeconds(host);
  }

  async spent(host: Host): Promise<number> {
    return (await this.#cpuSeconds(host)) - (this.#atBegin.get(host) ?? 0);
  }

  peakBytes = (host: Host): number => this.#peaks.get(host) ?? 0;
}

type TransferOptions = {
  readonly limitMs: number;
  readonly signal: AbortSignal;
  readonly onBegun?: (beganAtMs: number) => void;
  /** Time after which the transfer no longer waits for a receiver. Default: unlimited. */
  readonly waitLimitMs?: (receiver: Host) => number;
};

async function sumSent(hosts: readonly Host[]): Promise<number> {
  const sent = await Promise.all(hosts.map(({ device }) => sentThrough(device.place.namespace, "eth0")));
  return sent.reduce((sum, bytes) => sum + bytes, 0);
}

/** Waits until every receiver is complete or the time is over; returns the time of each. */
async function follow(
  prepared: Prepared,
  beganAtMs: number,
  options: TransferOptions,
  sample: () => Promise<void>,
): Promise<Map<Host, number>> {
  const completeAtMs = new Map<Host, number>();
  for (let round = 0; !options.signal.aborted; round++) {
    const elapsedMs = Date.now() - beganAtMs;
    let waiting = 0;
    for (const receiver of prepared.receivers) {
      if (completeAtMs.has(receiver)) continue;
      const atMs = await prepared.completeAtMs(receiver);
      if (atMs !== null) completeAtMs.set(receiver, atMs);
      else if (elapsedMs < (options.waitLimitMs?.(receiver) ?? Number.POSITIVE_INFINITY)) waiting++;
    }
    if (waiting === 0 || elapsedMs > options.limitMs) break;
    if (round % samplePeakEvery === 0) await sample();
    await Bun.sleep(pollMs);
  }
  return completeAtMs;
}

/**
 * Measures a transfer, and compares every copy with the original afterwards.
 * @throws Error when the transfer began before the counters were read
 */
export async function measureTransfer(prepared: Prepared, options: TransferOptions): Promise<TransferResult> {
  const hosts = [prepared.sender, ...prepared.receivers];
  const meter = new Meter();
  await meter.begin(hosts);
  const sentBefore = await sumSent(hosts);
  const countedAtMs = Date.now();
  const beganAtMs = await prepared.begin();
  if (beganAtMs < countedAtMs)
    throw new Error("The transfer began before the counters were read: the start delay is too short");
  options.onBegun?.(beganAtMs);
  const ticksBefore = await readTicks();
  const completeAtMs = await follow(prepared, beganAtMs, options, () => meter.sample(hosts));
  const processors = sharesBetween(ticksBefore, await readTicks());
  await prepared.settle();
  const senderCpuSeconds = await meter.spent(prepared.sender);
  const spent: number[] = [];
  for (const receiver of prepared.receivers) spent.push(await meter.spent(receiver));
  const sentBytes = (await sumSent(hosts)) - sentBefore;
  await prepared.end();
  const receivers: ReceiverResult[] = [];
  for (const receiver of prepared.receivers) {
    const atMs = completeAtMs.get(receiver);
    receivers.push({
      name: receiver.device.place.name,
      completeAfterMs: atMs === undefined ? null : atMs - beganAtMs,
      wrong: await prepared.difference(receiver),
    });
  }
  const times = receivers.map(({ completeAfterMs }) => completeAfterMs);
  return {
    receivers,
    lastMs: lastOf(times),
    medianMs: medianOf(times.filter((time) => time !== null)),
    verified: receivers.filter(({ wrong }) => wrong === null).length,
    sentBytes,
    senderCpuSeconds,
    receiverCpuSeconds: meanOf(spent) ?? 0,
    senderPeakBytes: meter.peakBytes(prepared.sender),
    receiverPeakBytes: Math.max(0, ...prepared.receivers.map(meter.peakBytes)),
    processors,
  };
}

/** Prints the tails of a receiver's and the sender's log when that receiver has no right copy. */
export async function showFailure(prepared: Prepared, { receivers }: TransferResult): Promise<void> {
  const failed = receivers.find(({ wrong }) => wrong !== null);
  if (!failed) return;
  const host = prepared.receivers.find(({ device }) => device.place.name === failed.name);
  console.error(`${failed.name} has no right copy: ${failed.wrong}`);
  for (const program of [host?.program(), prepared.sender.program()])
    if (program) console.error(`The end of the log of ${program.name}:\n${await logTail(program)}`);
}
