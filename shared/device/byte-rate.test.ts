import { expect, test } from "bun:test";
import { ByteRate } from "./byte-rate.ts";

type Sample = [nowMs: number, bytes: number, bps: number];

test.each<[what: string, samples: Sample[]]>([
  [
    "is 0 within its first second",
    [
      [0, 0, 0],
      [999, 5_000, 0],
    ],
  ],
  ["is that of the first second when it is over", [[1_000, 2_500, 20_000]]],
  ["counts over the whole time when samples are rarer", [[4_000, 1_000, 2_000]]],
  [
    "stays the same within the next second",
    [
      [1_000, 2_500, 20_000],
      [1_999, 90_000, 20_000],
    ],
  ],
  [
    "counts every window from the end of the one before",
    [
      [1_000, 2_500, 20_000],
      [3_000, 3_500, 4_000],
    ],
  ],
  [
    "is 0 when no byte came",
    [
      [1_000, 2_500, 20_000],
      [2_000, 2_500, 0],
    ],
  ],
  [
    "is 0 when chunks were lost",
    [
      [1_000, 2_500, 20_000],
      [2_000, 500, 0],
      [3_000, 1_500, 8_000],
    ],
  ],
  ["is a whole number", [[3_000, 100, 267]]],
])("the rate of verified bytes %s", (_, samples) => {
  const rate = new ByteRate(10_000, 500_000);
  for (const [nowMs, bytes, bps] of samples) expect(rate.update(10_000 + bytes, 500_000 + nowMs)).toBe(bps);
});
