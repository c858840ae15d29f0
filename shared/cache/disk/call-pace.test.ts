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

test("calls are asynchronous after one that waited for the disk, and twice as many after another", async () => {
  const pace = new CallPace();
  const kindOf = (): Promise<string> => pace.call(() => "synchronous", asynchronous);
  const slow = (): Promise<string> =>
    pace.call(() => {
      takes(25);
      throw new Error("full");
    }, asynchronous);
  for (const count of [32, 64]) {
    expect(slow()).rejects.toThrow("full");
    for (let call = 0; call < count; call++) expect(await kindOf()).toBe("asynchronous");
  }
  expect(await kindOf()).toBe("synchronous");
  expect(slow()).rejects.toThrow("full");
  for (let call = 0; call < 32; call++) expect(await kindOf()).toBe("asynchronous");
  expect(await kindOf()).toBe("synchronous");
});

test("one call is asynchronous if it is known to take time", async () => {
  const pace = new CallPace();
  pace.nextIsSlow();
  expect(await pace.call(() => "synchronous", asynchronous)).toBe("asynchronous");
  expect(await pace.call(() => "synchronous", asynchronous)).toBe("synchronous");
});
