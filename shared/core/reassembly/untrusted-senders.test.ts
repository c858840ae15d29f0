import { describe, expect, test } from "bun:test";
import { UntrustedSenders } from "./untrusted-senders.ts";

const leader = "1111111111111111";
const insider = "2222222222222222";
const other = "3333333333333333";

describe("senders of wrong chunks", () => {
  test("accepts the symbols of every sender at first", () => {
    const senders = new UntrustedSenders();
    expect(senders.accepts(0, insider)).toBe(true);
    expect(senders.isHopeless(0)).toBe(false);
  });

  test("refuses a wrong chunk from its only sender, after four such chunks every symbol of that sender", () => {
    const senders = new UntrustedSenders();
    senders.leader = leader;
    for (const chunk of [5, 6, 7]) senders.wrong(chunk, insider);
    expect([5, 6, 7, 8].map((chunk) => senders.accepts(chunk, insider))).toEqual([false, false, false, true]);
    senders.wrong(8, insider);
    expect(senders.accepts(9, insider)).toBe(false);
    expect([5, 9].map((chunk) => senders.accepts(chunk, other))).toEqual([true, true]);
  });

  test("accepts a wrong chunk of several senders from the representative alone, and attributes its next failure", () => {
    const senders = new UntrustedSenders();
    senders.leader = leader;
    senders.wrong(5, null);
    expect([leader, insider, other].map((sender) => senders.accepts(5, sender))).toEqual([
      true,
      false,
      false,
    ]);
    expect(senders.accepts(6, insider)).toBe(true);
    senders.wrong(5, leader);
    expect(senders.isHopeless(5)).toBe(true);
    expect(senders.isHopeless(6)).toBe(false);
  });

  test("accepts the representative alone after four wrong chunks of several senders", () => {
    const senders = new UntrustedSenders();
    senders.leader = leader;
    for (const chunk of [1, 2, 3, 4]) senders.wrong(chunk, null);
    expect(senders.accepts(99, "4444444444444444")).toBe(false);
    expect(senders.accepts(99, leader)).toBe(true);
  });

  test("remembers 256 of ten thousand invented senders", () => {
    const senders = new UntrustedSenders();
    senders.leader = leader;
    for (let i = 0; i < 10_000; i++) senders.wrong(i, i.toString(16).padStart(16, "0"));
    const remembered = Array.from({ length: 10_000 }, (_, i) => i).filter(
      (i) => !senders.accepts(i, i.toString(16).padStart(16, "0")),
    );
    expect(remembered).toHaveLength(256);
  });
});
