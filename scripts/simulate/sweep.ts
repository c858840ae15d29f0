/** Runs many seeds in several processes and sums up their outcomes. */
import { join } from "node:path";
import type { Choice, Outcome } from "../../shared/simulation/index.ts";
import type { Order, Report } from "./sweep-part.ts";

/** Number of seeds that a process runs before it reports. */
const orderSeeds = 100;
/** Upper bound on violations passed to `onViolation`. */
const shownMax = 20;

export type Sweep = {
  seeds: number;
  violations: Outcome[];
  processorMs: number;
  deviceMs: number;
  datagrams: number;
  wanChunks: number;
  wanHeld: number;
  /** Longest time from the last fault of a world to its last complete device. */
  settledMsMax: number;
};

/**
 * Runs the seeds from `first` to `last`.
 * @param jobs number of processes
 * @param onViolation called for each of the first twenty violations, when it is found
 * @throws Error when a process exits early
 */
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
    const order = { choice, first: next, last: Math.min(seeds.last, next + orderSeeds - 1) };
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
        isDone ? resolve() : reject(new Error("A process of the sweep exited before its work was done")),
    });
    sendNext(part);
  });
}
