/** A chunk of three symbols in one block: small enough for every order of its symbols. */
import { describe, expect, test } from "bun:test";
import { blockLayout, createErasureCode } from "../../fec/index.ts";
import { PartialChunk } from "./partial-chunk.ts";

const symbolSizeBytes = 4;
/** The third symbol has 2 bytes. */
const content = Uint8Array.of(11, 22, 33, 44, 55, 66, 77, 88, 99, 111);
const layout = blockLayout(content.length, symbolSizeBytes);
const k = 3;
const code = createErasureCode();
const repairBytes = code.repairSymbols({ bytes: content, k, symbolSizeBytes }, k, k);

/** Payload of a symbol of the block: 0 to 2 are source symbols, 3 to 5 repair symbols. */
const payloadOf = (symbol: number): Uint8Array =>
  symbol < k
    ? content.subarray(symbol * symbolSizeBytes, (symbol + 1) * symbolSizeBytes)
    : repairBytes.slice((symbol - k) * symbolSizeBytes, (symbol - k + 1) * symbolSizeBytes);

const newChunk = (): PartialChunk => new PartialChunk(7, layout, new Uint8Array(content.length), "s");
const add = (partial: PartialChunk, symbol: number): boolean =>
  partial.addSymbol(0, symbol, payloadOf(symbol));
const missingOf = (partial: PartialChunk): number[][] => {
  const missing: number[][] = [];
  partial.missingSymbols((block, count) => missing.push([block, count]));
  return missing;
};

function* ordersOf(symbols: readonly number[]): Generator<number[]> {
  if (symbols.length === 0) yield [];
  for (const first of symbols)
    for (const rest of ordersOf(symbols.filter((each) => each !== first))) yield [first, ...rest];
}
const orders = [...ordersOf([0, 1, 2, 3, 4, 5])];

test("a partial chunk is ready after any three of its symbols in any order, and rebuilds its bytes", () => {
  expect(orders).toHaveLength(720);
  for (const order of orders) {
    const partial = newChunk();
    const added = order.map((symbol) => [add(partial, symbol), partial.isReady]);
    expect(added.slice(0, 4)).toEqual([
      [true, false],
      [true, false],
      [true, true],
      [false, true],
    ]);
    expect(partial.rebuild(code)).toEqual(content);
  }
});

describe("a spilled chunk", () => {
  test.each([0, 1, 2, 3])(
    "rebuilds its bytes when it was spilled after %d symbols of any order",
    (spillAfter) => {
      for (const order of orders) {
        const partial = newChunk();
        let disk: Uint8Array | null = null;
        let count = 0;
        for (const symbol of order) {
          if (count === spillAfter) disk ??= partial.spill();
          if (add(partial, symbol)) count++;
        }
        expect(partial.isReady).toBe(true);
        expect(partial.bytes).toBeNull();
        partial.restore(disk!);
        expect(partial.rebuild(code)).toEqual(content);
      }
    },
  );

  test("keeps the symbols that it receives in memory, and gives its bytes up", () => {
    const partial = newChunk();
    const { heldBytes } = partial;
    add(partial, 0);
    expect(partial.heldBytes).toBe(heldBytes);
    const bytes = partial.spill()!;
    expect(partial.heldBytes).toBe(heldBytes - content.length);
    expect(partial.spill()).toBeNull();
    add(partial, 1);
    add(partial, 3);
    expect(partial.heldBytes).toBe(heldBytes - content.length + 2 * symbolSizeBytes);
    partial.restore(bytes);
    // The source symbol moved to its place; the repair symbol is still kept apart.
    expect(partial.heldBytes).toBe(heldBytes + symbolSizeBytes);
  });

  test("refuses a source symbol whose place on the disk has a repair symbol", () => {
    const partial = newChunk();
    add(partial, 4);
    partial.spill();
    expect(add(partial, 0)).toBe(false);
    expect(add(partial, 1)).toBe(true);
    expect(missingOf(partial)).toEqual([[0, 1]]);
  });
});

describe("a symbol", () => {
  test.each<[what: string, block: number, symbol: number, payload: Uint8Array]>([
    ["of another block", 1, 0, payloadOf(0)],
    ["beyond the last coded one", 0, 256, payloadOf(3)],
    ["that is too short", 0, 0, content.subarray(0, 3)],
    ["that is too long", 0, 2, content.subarray(0, 4)],
    ["of repair that is too short", 0, 3, content.subarray(0, 2)],
  ])("%s is refused without a change", (_, block, symbol, payload) => {
    const partial = newChunk();
    expect(partial.addSymbol(block, symbol, payload)).toBe(false);
    expect(missingOf(partial)).toEqual([[0, 3]]);
    expect(partial.bytes).toEqual(new Uint8Array(content.length));
  });

  test.each([0, 2, 3])("%d is refused when it comes twice, also after a spill", (symbol) => {
    const partial = newChunk();
    expect([add(partial, symbol), add(partial, symbol)]).toEqual([true, false]);
    partial.spill();
    expect(add(partial, symbol)).toBe(false);
    expect(missingOf(partial)).toEqual([[0, 2]]);
  });

  test("of repair is copied", () => {
    const partial = newChunk();
    const payload = payloadOf(3);
    for (const symbol of [0, 1]) add(partial, symbol);
    // Only the short last place is empty, so the repair symbol is kept apart.
    partial.addSymbol(0, 3, payload);
    payload.fill(0);
    expect(partial.rebuild(code)).toEqual(content);
  });

  test("of repair needs no memory in an empty place, and memory of its own beside the short one", () => {
    const partial = newChunk();
    const { heldBytes } = partial;
    add(partial, 3);
    add(partial, 4);
    expect(partial.heldBytes).toBe(heldBytes);
    add(partial, 5);
    expect(partial.heldBytes).toBe(heldBytes + symbolSizeBytes);
  });
});

test("a chunk of several blocks states how many symbols each of them is missing", () => {
  // 129 symbols of one byte are two blocks, of 65 and 64.
  const bytes = Uint8Array.from({ length: 129 }, (_, i) => i);
  const partial = new PartialChunk(0, blockLayout(129, 1), new Uint8Array(129), "s");
  expect(missingOf(partial)).toEqual([
    [0, 65],
    [1, 64],
  ]);
  for (let symbol = 0; symbol < 65; symbol++)
    partial.addSymbol(0, symbol, bytes.subarray(symbol, symbol + 1));
  partial.addSymbol(1, 63, bytes.subarray(128));
  expect(partial.isReady).toBe(false);
  expect(missingOf(partial)).toEqual([[1, 63]]);
  for (let symbol = 0; symbol < 63; symbol++)
    partial.addSymbol(1, symbol, bytes.subarray(65 + symbol, 66 + symbol));
  expect(partial.isReady).toBe(true);
  expect(partial.rebuild(code)).toEqual(bytes);
});
