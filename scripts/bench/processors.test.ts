import { expect, test } from "bun:test";
import { sharesBetween, ticksOf } from "./processors.ts";

const stat = (fields: string): string => `cpu  ${fields}\ncpu0 1 2 3 4 5 6 7 8 0 0\nintr 17\n`;

test("counts user, nice, system and interrupt time as busy, and waiting for a disk as idle", () => {
  expect(ticksOf(stat("10 2 30 400 50 6 70 8 0 0"))).toEqual({ busy: 118, stolen: 8, all: 576 });
});

test("computes shares of the time between two readings, null when no time passed", () => {
  const before = ticksOf(stat("100 0 100 800 0 0 0 0 0 0"));
  const after = ticksOf(stat("150 0 110 820 0 0 0 20 0 0"));
  expect(sharesBetween(before, after)).toEqual({ busy: 0.6, stolen: 0.2 });
  expect(sharesBetween(after, after)).toEqual({ busy: null, stolen: null });
});
