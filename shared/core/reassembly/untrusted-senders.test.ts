import { describe, expect, test } from "bun:test";
import { UntrustedSenders } from "./untrusted-senders.ts";

const leader = "1111111111111111";
const insider = "2222222222222222";
const other = "3333333333333333";

describe("senders of wrong chunks", () => {
  test("at first everybody's symbols are taken", () => {
    const suspects = new UntrustedSenders();
    expect(suspects.accepts(0, insider)).toBe(true);
    expect(suspects.isHopeless(0)).toBe(false);
  });

  test("one that sent a wrong chunk alone loses that chunk, after four everything, and nobody else does", () => {
    const suspects = new UntrustedSenders();
    suspects.leader = leader;
    for (const chunk of [5, 6, 7]) suspects.wrong(chunk, insider);
    expect([5, 6, 7, 8].map((chunk) => suspects.accepts(chunk, insider))).toEqual([
      false,
      false,
      false,
      true,
    ]);
    suspects.wrong(8, insider);
    expect(suspects.accepts(9, insider)).toBe(false);
    expect([5, 9].map((chunk) => suspects.accepts(chunk, other))).toEqual([true, true]);
  });

  test("a wrong chunk of several is taken from the representative alone, and its next failure is the representative's", () => {
    const suspects = new UntrustedSenders();
    suspects.leader = leader;
    suspects.wrong(5, null);
    expect([leader, insider, other].map((sender) => suspects.accepts(5, sender))).toEqual([
      true,
      false,
      false,
    ]);
    expect(suspects.accepts(6, insider)).toBe(true);
    suspects.wrong(5, leader);
    expect(suspects.isHopeless(5)).toBe(true);
    expect(suspects.isHopeless(6)).toBe(false);
  });

  test("whoever spoils chunk after chunk under new names ends up speaking to nobody", () => {
    const suspects = new UntrustedSenders();
    suspects.leader = leader;
    for (const chunk of [1, 2, 3, 4]) suspects.wrong(chunk, null);
    expect(suspects.accepts(99, "4444444444444444")).toBe(false);
    expect(suspects.accepts(99, leader)).toBe(true);
  });

  test("ten thousand invented senders are not remembered", () => {
    const suspects = new UntrustedSenders();
    suspects.leader = leader;
    for (let i = 0; i < 10_000; i++) suspects.wrong(i, i.toString(16).padStart(16, "0"));
    const remembered = Array.from({ length: 10_000 }, (_, i) => i).filter(
      (i) => !suspects.accepts(i, i.toString(16).padStart(16, "0")),
    );
    expect(remembered).toHaveLength(256);
  });
});
