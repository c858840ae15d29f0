/** The order of sync and ledger in a batch, and the outcome when one of the two fails. */
import { describe, expect, test } from "bun:test";
import { TestClock } from "../simulation/testing.ts";
import { ChunkBatch } from "./chunk-batch.ts";
import type { ChunkRow } from "./ledger.ts";

const batchChunks = 64;
const batchDelayMs = 500;

const row = (chunk: number): ChunkRow => ({ chunk, bytes: 1_024, origin: "wan", verifiedAtMs: 0 });
const named = (rows: readonly ChunkRow[]): string => rows.map(({ chunk }) => chunk).join(" ");

/** A batch with a record of what it does; `syncFails` and `ledgerFails` make the next ones fail. */
function recorded({ syncMs = 0 } = {}) {
  const clock = new TestClock();
  const events: string[] = [];
  const faults = { sync: false, ledger: false };
  const batch = new ChunkBatch(
    {
      sync: async () => {
        events.push("sync");
        if (syncMs > 0) await new Promise<void>((resolve) => void clock.after(syncMs, resolve));
        if (faults.sync) throw new Error("the sync fails");
      },
      list: (rows) => {
        if (faults.ledger) throw new Error("the ledger is full");
        events.push(`list ${named(rows)}`);
      },
      lost: (rows) => events.push(`lost ${named(rows)}`),
      failed: (error) => events.push(`failed: ${(error as Error).message}`),
    },
    clock,
  );
  /** Removes and returns the events of the next milliseconds. */
  const during = (ms: number): string[] => {
    clock.advance(ms);
    return events.splice(0);
  };
  /** Flushes, and returns the events and the outcome. */
  const flush = (): string[] => {
    batch.flush().then(
      () => events.push("flushed"),
      (error: Error) => events.push(`rejected: ${error.message}`),
    );
    return during(0);
  };
  const add = (...chunks: number[]): void => chunks.forEach((chunk) => batch.add(row(chunk)));
  return { batch, faults, during, flush, add };
}
const chunksFrom = (first: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => first + i);

describe("a batch of chunks", () => {
  test("is synced, then listed in one transaction, 500 ms after its first chunk", () => {
    const { add, during } = recorded();
    add(3);
    expect(during(300)).toEqual([]);
    add(1, 2);
    expect(during(199)).toEqual([]);
    expect(during(1)).toEqual(["sync", "list 3 1 2"]);
    expect(during(10_000)).toEqual([]);
  });

  test("is flushed at once with its 64th chunk", () => {
    const { add, during } = recorded();
    add(...chunksFrom(0, batchChunks - 1));
    expect(during(0)).toEqual([]);
    add(63);
    expect(during(0)).toEqual(["sync", `list ${chunksFrom(0, batchChunks).join(" ")}`]);
    expect(during(10_000)).toEqual([]);
  });

  test("is flushed on request, without its timer afterwards", () => {
    const { add, during, flush } = recorded();
    add(1);
    expect(flush()).toEqual(["sync", "list 1", "flushed"]);
    expect(during(10_000)).toEqual([]);
  });

  test("that is empty is neither synced nor listed", () => {
    expect(recorded().flush()).toEqual(["flushed"]);
  });

  test("does not have the chunks that are added during its sync", () => {
    const { add, during } = recorded({ syncMs: 100 });
    add(1);
    expect(during(batchDelayMs)).toEqual(["sync"]);
    add(2);
    expect(during(100)).toEqual(["list 1"]);
    expect(during(batchDelayMs - 100)).toEqual(["sync"]);
    expect(during(100)).toEqual(["list 2"]);
  });

  test("is flushed after the flush before has ended", () => {
    const { add, during, flush } = recorded({ syncMs: 100 });
    add(1);
    expect(flush()).toEqual(["sync"]);
    add(2);
    expect(flush()).toEqual([]);
    expect(during(100)).toEqual(["list 1", "flushed", "sync"]);
    expect(during(100)).toEqual(["list 2", "flushed"]);
  });

  test("stays out of the ledger when its timer is stopped", () => {
    const { batch, add, during, flush } = recorded();
    add(1);
    batch.stop();
    expect(during(10_000)).toEqual([]);
    expect(flush()).toEqual(["sync", "list 1", "flushed"]);
  });
});

describe("a batch whose sync fails", () => {
  test("is lost as a whole and never listed, and the next one is not affected", () => {
    const { faults, add, during } = recorded();
    add(1, 2);
    faults.sync = true;
    expect(during(batchDelayMs)).toEqual(["sync", "lost 1 2", "failed: the sync fails"]);
    faults.sync = false;
    expect(during(10_000)).toEqual([]);
    add(3);
    expect(during(batchDelayMs)).toEqual(["sync", "list 3"]);
  });

  test("rejects the flush that was requested", () => {
    const { faults, add, flush } = recorded();
    add(1);
    faults.sync = true;
    expect(flush()).toEqual(["sync", "lost 1", "rejected: the sync fails"]);
    faults.sync = false;
    expect(flush()).toEqual(["flushed"]);
  });

  test("does not lose the chunks that were added during its sync", () => {
    const { faults, add, during } = recorded({ syncMs: 100 });
    add(1);
    faults.sync = true;
    during(batchDelayMs);
    add(2);
    expect(during(100)).toEqual(["lost 1", "failed: the sync fails"]);
    faults.sync = false;
    expect(during(batchDelayMs).concat(during(100))).toEqual(["sync", "list 2"]);
  });
});

describe("a batch that the ledger cannot list", () => {
  test("is synced again and listed two seconds later, without loss", () => {
    const { faults, add, during } = recorded();
    add(1, 2);
    faults.ledger = true;
    expect(during(batchDelayMs)).toEqual(["sync", "failed: the ledger is full"]);
    expect(during(1_999)).toEqual([]);
    expect(during(1)).toEqual(["sync", "failed: the ledger is full"]);
    faults.ledger = false;
    expect(during(2_000)).toEqual(["sync", "list 1 2"]);
    expect(during(10_000)).toEqual([]);
  });

  test("precedes the chunks that were added since", () => {
    const { faults, add, during } = recorded({ syncMs: 100 });
    add(1);
    faults.ledger = true;
    during(batchDelayMs);
    add(2);
    expect(during(100)).toEqual(["failed: the ledger is full"]);
    faults.ledger = false;
    expect(during(batchDelayMs).concat(during(100))).toEqual(["sync", "list 1 2"]);
  });

  test("rejects the flush that was requested, and is listed by the next one", () => {
    const { faults, add, flush } = recorded();
    add(1);
    faults.ledger = true;
    expect(flush()).toEqual(["sync", "rejected: the ledger is full"]);
    faults.ledger = false;
    add(2);
    expect(flush()).toEqual(["sync", "list 1 2", "flushed"]);
  });
});
