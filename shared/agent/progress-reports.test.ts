import { expect, test } from "bun:test";
import type { Progress } from "../api/schema/common.ts";
import { SourceError } from "../api/source-error.ts";
import { ProgressReports, sharedIntervalMs, statesMax } from "./progress-reports.ts";

const intervalMs = 500;

test("limits the peers of one session to the report rate of eight", () => {
  expect(sharedIntervalMs(2_000, 0)).toBe(2_000);
  expect(sharedIntervalMs(2_000, 8)).toBe(2_000);
  expect(sharedIntervalMs(2_000, 64)).toBe(16_000);
  expect(sharedIntervalMs(2_000, 1_000)).toBe(250_000);
});

test("reports a new state at once and any other change after the interval", async () => {
  const sentAtMs: number[] = [];
  const reporter = new ProgressReports({
    send: async () => void sentAtMs.push(performance.now()),
    read: (taskId) => ({ taskId }) as Progress,
    intervalMs: () => intervalMs,
    onSent: () => {},
    onRefused: () => {},
    random: Math.random,
  });
  reporter.touch(1, "receiving");
  await Bun.sleep(intervalMs / 2);
  expect(sentAtMs).toHaveLength(1);
  reporter.touch(1, "receiving");
  reporter.touch(1, "receiving");
  await Bun.sleep(intervalMs);
  expect(sentAtMs).toHaveLength(2);
  expect(sentAtMs[1]! - sentAtMs[0]!).toBeGreaterThanOrEqual(intervalMs - 5);
  reporter.touch(1, "complete");
  await Bun.sleep(intervalMs / 2);
  expect(sentAtMs).toHaveLength(3);
  reporter.close();
});

test("the last states of any number of tasks stay within a bound", async () => {
  const sent: number[] = [];
  const reporter = new ProgressReports({
    send: async (reports) => void sent.push(...reports.map(({ taskId }) => taskId)),
    read: (taskId) => (taskId <= 2 ? ({ taskId } as Progress) : null),
    intervalMs: () => 3_600_000,
    onSent: () => {},
    onRefused: () => {},
    random: Math.random,
  });
  for (const taskId of [2, 1]) reporter.touch(taskId, "waiting");
  for (let taskId = 3; taskId <= statesMax + 1; taskId++) reporter.touch(taskId, "waiting");
  await reporter.flush();
  sent.length = 0;
  // The state of task 2, the oldest one, is not known any more: its report is urgent.
  reporter.touch(2, "waiting");
  while (sent.length === 0) await Bun.sleep(10);
  expect(sent).toEqual([2]);
  reporter.close();
}, 20_000);

test("a report that the source refuses is dropped, and holds up no other", async () => {
  const sent: number[] = [];
  const refused: number[] = [];
  const reporter = new ProgressReports({
    send: async (reports) => {
      if (reports.some(({ taskId }) => taskId === 2)) throw new SourceError("refused", 400, "invalid report");
    },
    read: (taskId) => ({ taskId }) as Progress,
    intervalMs: () => intervalMs,
    onSent: (reports) => sent.push(...reports.map(({ taskId }) => taskId)),
    onRefused: ({ taskId }) => refused.push(taskId),
    random: () => 0.5,
  });
  for (const taskId of [1, 2, 3]) reporter.touch(taskId, "complete");
  await reporter.flush();
  expect([sent, refused]).toEqual([[1, 3], [2]]);
  reporter.touch(3, "failed");
  await reporter.flush();
  expect([sent, refused]).toEqual([[1, 3, 3], [2]]);
  reporter.close();
});

test("a report that does not reach the source is repeated with growing pauses", async () => {
  const triedAtMs: number[] = [];
  const { promise: isSent, resolve } = Promise.withResolvers<void>();
  const reporter = new ProgressReports({
    send: async () => {
      triedAtMs.push(performance.now());
      if (triedAtMs.length < 5) throw new SourceError("unreachable", 503, "busy");
    },
    read: (taskId) => ({ taskId }) as Progress,
    intervalMs: () => intervalMs,
    onSent: () => resolve(),
    onRefused: () => {},
    random: () => 0.5,
    backoff: { baseMs: 20, maxMs: 80, jitter: [0.5, 1.5] },
  });
  reporter.touch(1, "complete");
  await isSent;
  const pauses = triedAtMs.slice(1).map((atMs, index) => atMs - triedAtMs[index]!);
  for (const [index, leastMs] of [20, 40, 80, 80].entries())
    expect(pauses[index]).toBeGreaterThanOrEqual(leastMs - 2);
  reporter.close();
});

test("a report that waits is sent as soon as the source answers a check-in", async () => {
  let tries = 0;
  const { promise: isSent, resolve } = Promise.withResolvers<void>();
  const reporter = new ProgressReports({
    send: async () => {
      if (++tries === 1) throw new SourceError("unreachable", null, "no connection");
    },
    read: (taskId) => ({ taskId }) as Progress,
    intervalMs: () => intervalMs,
    onSent: () => resolve(),
    onRefused: () => {},
    random: () => 0.5,
    backoff: { baseMs: 3_600_000, maxMs: 3_600_000, jitter: [1, 1] },
  });
  reporter.touch(1, "complete");
  await reporter.flush();
  reporter.onSourceAnswers();
  await isSent;
  expect(tries).toBe(2);
  reporter.close();
});
