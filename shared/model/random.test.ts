import { describe, expect, test } from "bun:test";
import { seededRandom, shuffle } from "./random.ts";

describe("a seeded random source", () => {
  // Values of mulberry32 in 32-bit unsigned arithmetic, computed by another program.
  test.each([
    [0, [1_144_304_738, 1_416_247, 958_946_056, 627_933_444]],
    [1, [2_693_262_067, 11_749_833, 2_265_367_787, 4_213_581_821]],
    [42, [2_581_720_956, 1_925_393_290, 3_661_312_704, 2_876_485_805]],
    [0xffff_ffff, [3_850_105_811, 813_802_916, 3_073_704_848, 4_054_706_436]],
  ])("of seed %p gives the numbers of mulberry32", (seed, words) => {
    const random = seededRandom(seed);
    expect(words.map(() => random())).toEqual(words.map((word) => word / 2 ** 32));
  });

  test("takes the low 32 bits of its seed", () => {
    expect(seededRandom(-1)()).toBe(seededRandom(0xffff_ffff)());
    expect(seededRandom(2 ** 32 + 1)()).toBe(seededRandom(1)());
  });

  test("spreads its numbers evenly from 0 to 1", () => {
    const random = seededRandom(7);
    const counts = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 10_000; i++) counts[Math.floor(random() * 10)]!++;
    // 1,000 each, with a standard deviation of 30.
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  });
});

describe("a shuffle", () => {
  test("gives every order of three exactly once over all random choices", () => {
    const orders = [0, 1 / 3, 2 / 3].flatMap((first) =>
      [0, 1 / 2].map((second) => {
        const numbers = [first, second];
        return shuffle(["a", "b", "c"], () => numbers.shift()!).join("");
      }),
    );
    expect(orders.toSorted()).toEqual(["abc", "acb", "bac", "bca", "cab", "cba"]);
  });

  test("changes the list in place and returns it", () => {
    const list = [1, 2, 3, 4];
    expect(shuffle(list, () => 0)).toBe(list);
    expect(list).toEqual([2, 3, 4, 1]);
  });

  test.each([[[]], [[1]]])("of %j draws no random number", (list) => {
    let drawn = 0;
    expect(shuffle([...list], () => drawn++)).toEqual(list);
    expect(drawn).toBe(0);
  });
});
