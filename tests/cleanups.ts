/**
 * Cleanups of a test file: run after each test, also after a failed one, the last registered first.
 */
import { afterEach } from "bun:test";
import { openHarness, type Harness, type HarnessOptions } from "./harness.ts";

type Cleanups = {
  readonly addCleanup: (cleanup: () => unknown) => void;
  /** Opens a deployment that is closed after the test. */
  readonly open: (options?: HarnessOptions) => Promise<Harness>;
};

/** To be called once by a test file, outside its tests. */
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
