import { expect, test } from "bun:test";
import type { Progress } from "../api/schema/common.ts";
import { ProgressReports, sharedIntervalMs } from "./progress-reports.ts";

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
