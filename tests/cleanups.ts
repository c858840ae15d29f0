/** What a test opens is closed after it, whatever became of it: the last first. */
import { afterEach } from "bun:test";
import { openHarness, type Harness, type HarnessOptions } from "./harness.ts";

export type Cleanups = {
  readonly addCleanup: (cleanup: () => unknown) => void;
  /** A deployment that ends with the test. */
  readonly open: (options?: HarnessOptions) => Promise<Harness>;
};

/** Once for a file of tests. */
export function createCleanups(): Cleanups {
  const cleanups: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
  });
  return {
    addCleanup: (cleanup) => void cleanups.push(cleanup),
    open: async (options = {}) => {
      const harness = await openHarness(options);
      cleanups.push(() => harness[Symbol.asyncDispose]());
      return harness;
    },
  };
}
