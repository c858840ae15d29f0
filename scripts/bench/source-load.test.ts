/** `bench source` with a small fleet: every request of its devices is taken by a real source. */
import { expect, test } from "bun:test";
import { runSourceLoad, sourceLoadText } from "./source-load.ts";

test.skipIf(process.platform !== "linux")(
  "measures every cost of a device, and the text has them",
  async () => {
    const steps: (() => Promise<void> | void)[] = [];
    const cleanup = {
      add: (_: string, step: () => Promise<void> | void) => void steps.push(step),
      interrupted: new AbortController().signal,
      untilInterrupted: () => Promise.resolve(),
    };
    try {
      const load = await runSourceLoad({ devices: 40, size: 20, heartbeats: 0 }, cleanup);
      expect(load.checkInBytes[0]).toBeGreaterThan(200);
      expect(load.checkInBytes[1]).toBeGreaterThan(1_000);
      expect(load.sentMbPerCpuSecond).toBeGreaterThan(0);
      expect(load.catalogBytes).toBeGreaterThan(0);
      expect(load.residentMb).toBeGreaterThan(20);
      for (const ms of [load.enrolmentMs, load.checkInMs, load.reportMs])
        expect(ms).toBeGreaterThanOrEqual(0);
      expect(sourceLoadText(load)).toContain("report of progress");
    } finally {
      for (const step of steps.toReversed()) await step();
    }
  },
  120_000,
);
