import { expect, test } from "bun:test";
import { CallPace } from "./call-pace.ts";

/** Blocks like a call that takes this long. */
function takes(durationMs: number): void {
  const endMs = performance.now() + durationMs;
  while (performance.now() < endMs);
}

const asynchronous = async (): Promise<string> => "asynchronous";

test("a series of synchronous calls lets the event loop run", async () => {
  const pace = new CallPace();
  let turns = 0;
  const next = (): void => {
    turns++;
    immediate = setImmediate(next);
  };
  let immediate = setImmediate(next);
  for (let call = 0; call < 40; call++)
    await pace.call(
      () => takes(1),
      async () => {},
    );
  clearImmediate(immediate);
  expect(turns).toBeGreaterThan(1);
});

test("calls are asynchronous after one that waited for the disk, also if it failed", async () => {
  const pace = new CallPace();
  const slow = pace.call(() => {
    takes(12);
    throw new Error("full");
  }, asynchronous);
  expect(slow).rejects.toThrow("full");
  expect(await pace.call(() => "synchronous", asynchronous)).toBe("asynchronous");
  pace.asyncCalls = 0;
  expect(await pace.call(() => "synchronous", asynchronous)).toBe("synchronous");
});
