import { describe, expect, test } from "bun:test";
import { drainMicrotasks } from "bun:jsc";
import { ReadBack } from "./read-back.ts";

const size = 8;
const chunkSizeBytes = 16;

/** Reads that end when the test ends them; `reads` are the chunks in the order of their reads. */
function readBack() {
  const reads: number[] = [];
  let end: ((outcome: boolean | Error) => void) | null = null;
  const buffers = new Set<Uint8Array>();
  const back = new ReadBack(size, chunkSizeBytes, (chunk, buffer) => {
    reads.push(chunk);
    buffers.add(buffer);
    return new Promise((resolve, reject) => {
      end = (outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome));
    });
  });
  /** Ends the read under way; the next one begins. */
  const endRead = (outcome: boolean | Error = true): void => {
    end!(outcome);
    drainMicrotasks();
  };
  return { back, reads, buffers, endRead };
}

describe("read-back", () => {
  test("reads one chunk at a time, the lowest first, into one buffer of a chunk's size", () => {
    const { back, reads, buffers, endRead } = readBack();
    back.add([5, 2]);
    back.add([3]);
    expect(reads).toEqual([2]);
    for (let i = 0; i < 3; i++) endRead();
    expect(reads).toEqual([2, 3, 5]);
    expect([...back.done]).toEqual([2, 3, 5]);
    expect([...buffers].map((buffer) => buffer.length)).toEqual([chunkSizeBytes]);
  });

  test.each<[what: string, outcome: boolean | Error]>([
    ["is wrong", false],
    ["cannot be read", new Error("EIO")],
  ])("leaves a chunk out that %s, and continues", (_, outcome) => {
    const { back, reads, endRead } = readBack();
    back.add([1, 2]);
    endRead(outcome);
    endRead();
    expect(reads).toEqual([1, 2]);
    expect([...back.done]).toEqual([2]);
  });

  test("reads a chunk that is added during a read or after all of them", () => {
    const { back, reads, endRead } = readBack();
    back.add([4]);
    back.add([1]);
    endRead();
    endRead();
    back.add([0]);
    endRead();
    expect(reads).toEqual([4, 1, 0]);
    expect([...back.done]).toEqual([0, 1, 4]);
  });

  test("reads a chunk again when it is added again", () => {
    const { back, reads, endRead } = readBack();
    back.add([1]);
    endRead();
    back.forget(1);
    expect([...back.done]).toEqual([]);
    back.add([1]);
    endRead();
    expect(reads).toEqual([1, 1]);
    expect([...back.done]).toEqual([1]);
  });

  test("does not read a chunk that was forgotten while it waited", () => {
    const { back, reads, endRead } = readBack();
    back.add([1, 2, 3]);
    back.forget(2);
    endRead();
    endRead();
    expect(reads).toEqual([1, 3]);
  });
});

describe("read-back that waits for its end", () => {
  test.each([
    ["stop", "reads nothing that is added later", []],
    ["settle", "reads what is added later", [6]],
  ] as const)("with %s ends after the read under way, drops the rest, and %s", (end, _, later) => {
    const { back, reads, endRead } = readBack();
    const events: string[] = [];
    back.add([1, 2, 3]);
    void back[end]().then(() => events.push("ended"));
    drainMicrotasks();
    expect(events).toEqual([]);
    endRead();
    expect(events).toEqual(["ended"]);
    expect(reads).toEqual([1]);
    expect([...back.done]).toEqual([1]);
    back.add([6]);
    drainMicrotasks();
    expect(reads.slice(1)).toEqual([...later]);
  });

  test.each(["stop", "settle"] as const)("with %s ends at once when nothing is read", async (end) => {
    await readBack().back[end]();
  });
});
