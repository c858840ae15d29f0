/** `bench faults`: what a faulty receiver costs the healthy ones, and how it gets the package. */
import { reasonsText } from "../../shared/model/reason.ts";
import type { Cleanup } from "../rig/cleanup.ts";
import { originText } from "../rig/task-watch.ts";
import { alignTable } from "../rig/table.ts";
import { askAgent } from "../lab/agent-status.ts";
import {
  createTimers,
  faultCases,
  restoreNetwork,
  type FaultRowName,
  type FaultContext,
} from "./fault-rows.ts";
import { dash, fixed, lastOf, meanOf, ratioOf, secondsText } from "../rig/figures.ts";
import { endFlockcast, prepareFlockcast } from "./flockcast.ts";
import { openLan, type BenchLan } from "./lan-world.ts";
import { measureTransfer, showFailure, type TransferResult } from "./transfer.ts";

type FaultOptions = {
  readonly receivers: number;
  /** MB of 10^6 bytes. */
  readonly size: number;
  readonly rate: number;
  readonly rows: readonly FaultRowName[];
  readonly cutRuns?: boolean | undefined;
  readonly timeout: number;
};
export type FaultRow = {
  readonly name: FaultRowName;
  /** Time until the last healthy receiver was complete; null: one was not. */
  readonly healthyMs: number | null;
  /** Time until the faulty receiver was complete; null without one, or when it was not. */
  readonly faultyMs: number | null;
  readonly hasFaulty: boolean;
  readonly verified: number;
  readonly expected: number;
  /** Status of the faulty receiver, or of the last one, after the transfer. */
  readonly status: string;
};

/** Returns whether the faulty receiver is killed for good, so that nothing waits for its copy. */
const crashes = (name: FaultRowName): boolean => faultCases[name].faults.includes("crash");

async function statusOf(lan: BenchLan, name: FaultRowName): Promise<string> {
  const shown = lan.receivers.at(-1)!;
  const status = await askAgent(shown);
  if (!status) return crashes(name) ? "killed" : "does not answer";
  const task = status.tasks.toSorted((a, b) => b.taskId - a.taskId)[0];
  if (!task) return "knows no task";
  return reasonsText(task.reasons) || `${task.state}: ${originText(task)}`;
}

function rowOf(lan: BenchLan, name: FaultRowName, result: TransferResult, status: string): FaultRow {
  const faulty = faultCases[name].isOne ? lan.receivers.at(-1)!.place.name : null;
  const healthy = result.receivers.filter((receiver) => receiver.name !== faulty);
  const one = result.receivers.find((receiver) => receiver.name === faulty);
  return {
    name,
    healthyMs: lastOf(healthy.map(({ completeAfterMs }) => completeAfterMs)),
    faultyMs: one?.completeAfterMs ?? null,
    hasFaulty: faulty !== null,
    verified: result.verified,
    expected: result.receivers.length - (crashes(name) ? 1 : 0),
    status,
  };
}

async function runRow(
  lan: BenchLan,
  name: FaultRowName,
  options: FaultOptions,
  cleanup: Cleanup,
): Promise<FaultRow> {
  const fault = faultCases[name];
  const faulty = lan.receivers.at(-1)!;
  const clock = createTimers(cleanup);
  const context: FaultContext = {
    lan,
    faulty,
    idealMs: (options.size * 8_000) / options.rate,
    after: clock.after,
  };
  const signal = cleanup.interrupted;
  try {
    await fault.before?.(context);
    const heldBack = new Set(fault.faults.includes("late") ? [faulty] : []);
    const prepared = await prepareFlockcast(lan, { rate: options.rate, heldBack, signal });
    let status = "";
    const result = await measureTransfer(
      { ...prepared, settle: async () => void (status = await statusOf(lan, name)) },
      {
        limitMs: options.timeout * 1_000,
        signal,
        onBegun: () => fault.during?.(context),
        waitLimitMs: ({ device }) => (crashes(name) && device === faulty ? 0 : Number.POSITIVE_INFINITY),
      },
    );
    if (!crashes(name)) await showFailure(prepared, result);
    return rowOf(lan, name, result, status);
  } finally {
    await clock.end();
    await restoreNetwork(context);
    await endFlockcast(lan);
  }
}

/** Runs the chosen rows. The row without a fault always runs first and last. */
export async function runFaults(options: FaultOptions, cleanup: Cleanup): Promise<FaultRow[]> {
  const lan = await openLan(options, cleanup);
  const names: FaultRowName[] = ["none", ...options.rows.filter((name) => name !== "none"), "none"];
  const rows: FaultRow[] = [];
  for (const name of names) {
    const row = await runRow(lan, name, options, cleanup);
    console.error(`${faultCases[name].about}: ${secondsText(row.healthyMs)}`);
    rows.push(row);
  }
  return rows;
}

/** Returns the mean time of the runs without a fault; null when none completed. */
export function baseOf(rows: readonly FaultRow[]): number | null {
  const times = rows.filter(({ name }) => name === "none").flatMap(({ healthyMs }) => healthyMs ?? []);
  return meanOf(times);
}

export function faultsText(rows: readonly FaultRow[], options: FaultOptions): string {
  const base = baseOf(rows);
  const head = ["fault", "how it got the package", "last healthy", "÷ no fault", "faulty one", "verified"];
  const lines = rows.map((row) => [
    faultCases[row.name].about,
    row.status,
    secondsText(row.healthyMs),
    fixed(ratioOf(row.healthyMs, base)),
    row.hasFaulty ? secondsText(row.faultyMs) : dash,
    `${row.verified}/${row.expected}`,
  ]);
  return `\n${options.receivers} receivers, ${options.size} MB at ${options.rate} Mbit/s; times from the first symbol\n${alignTable([head, ...lines], 2)}`;
}
