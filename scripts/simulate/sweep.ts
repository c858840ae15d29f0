/** Runs many seeds in several processes, and sums up. */
import { join } from "node:path";
import type { Choice, Outcome } from "../../shared/simulation/index.ts";
import type { Order, Report } from "./sweep-part.ts";

/** Seeds handed to a process at a time. */
const portion = 100;
const shownMax = 20;

export type Sweep = {
  seeds: number;
  violations: Outcome[];
  processorMs: number;
  deviceMs: number;
  datagrams: number;
  wanChunks: number;
  wanHeld: number;
  /** From the last fault to the last complete device: the longest. */
  settledMsMax: number;
};

/** @param onViolation as soon as it is known; the first twenty */
export async function sweep(
  choice: Omit<Choice, "seed">,
  seeds: { first: number; last: number },
  jobs: number,
  onViolation: (outcome: Outcome) => void,
): Promise<Sweep> {
  const sum: Sweep = {
    seeds: 0,
    violations: [],
    processorMs: 0,
    deviceMs: 0,
    datagrams: 0,
    wanChunks: 0,
    wanHeld: 0,
    settledMsMax: 0,
  };
  let next = seeds.first;
  const takeOrder = (): Order | null => {
    if (next > seeds.last) return null;
    const order = { choice, first: next, last: Math.min(seeds.last, next + portion - 1) };
    next = order.last + 1;
    return order;
  };
  const note = ({ outcomes, processorMs }: Report): void => {
    sum.processorMs += processorMs;
    for (const outcome of outcomes) add(sum, outcome, onViolation);
  };
  await Promise.all(Array.from({ length: jobs }, () => runPart(takeOrder, note)));
  return sum;
}

function add(sum: Sweep, outcome: Outcome, onViolation: (outcome: Outcome) => void): void {
  sum.seeds++;
  sum.deviceMs += outcome.devices * outcome.simulatedMs;
  sum.datagrams += outcome.datagrams;
  sum.wanChunks += outcome.wanChunks;
  sum.wanHeld += outcome.wanHeld;
  sum.settledMsMax = Math.max(sum.settledMsMax, outcome.settledMs ?? 0);
  if (!outcome.violation) return;
  sum.violations.push(outcome);
  if (sum.violations.length <= shownMax) onViolation(outcome);
}

function runPart(takeOrder: () => Order | null, note: (report: Report) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    let isDone = false;
    const sendNext = (part: Bun.Subprocess): void => {
      const order = takeOrder();
      if (order) return void part.send(order);
      isDone = true;
      part.kill();
    };
    const part = Bun.spawn([process.execPath, join(import.meta.dir, "sweep-part.ts")], {
      stdio: ["ignore", "inherit", "inherit"],
      ipc: (report: Report) => {
        note(report);
        sendNext(part);
      },
      onExit: () =>
        isDone ? resolve() : reject(new Error("a process of the sweep ended before its work was done")),
    });
    sendNext(part);
  });
}
