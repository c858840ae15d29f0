/** Quantities and times as people write them, in both languages. */
import { expect, test } from "bun:test";
import { agoText, durationText, percentText, rateText, sizeText } from "./format.ts";

/** Spaces in numbers differ between versions of the tables of languages. */
const plain = (text: string): string => text.replaceAll(/[\u00a0\u202f]/g, " ");

test("sizes have the largest unit below 1,000, and at most one digit after the point", () => {
  const sizes = [0, 999, 1_000, 999_499, 999_500, 12_345_678, 250_000_000, 3e18].map((bytes) =>
    plain(sizeText(bytes, "en")),
  );
  expect(sizes).toEqual(["0 B", "999 B", "1 kB", "999 kB", "1 MB", "12.3 MB", "250 MB", "3,000 PB"]);
  expect(plain(sizeText(12_345_678, "de"))).toBe("12,3 MB");
});

test("rates are bits per second in every language", () => {
  for (const [bps, english, german] of [
    [0, "0 bit/s", "0 bit/s"],
    [1_500, "1.5 kbit/s", "1,5 kbit/s"],
    [34_000_000, "34 Mbit/s", "34 Mbit/s"],
    [2_500_000_000, "2.5 Gbit/s", "2,5 Gbit/s"],
  ] as const)
    expect([plain(rateText(bps, "en")), plain(rateText(bps, "de"))]).toEqual([english, german]);
});

test("a share is 100 % only when nothing is missing", () => {
  expect([0.999_9, 1, 0.004, 0.5].map((share) => plain(percentText(share, "en")))).toEqual([
    "99%",
    "100%",
    "0%",
    "50%",
  ]);
});

test("a time in the past or the future has the largest fitting unit", () => {
  const nowMs = 1_800_000_000_000;
  const texts = [0, 59_000, 61_000, 7_200_000, 172_800_000, -7_200_000].map((ms) =>
    agoText(nowMs - ms, nowMs, "en"),
  );
  expect(texts).toEqual([
    "this minute",
    "this minute",
    "1 minute ago",
    "2 hours ago",
    "2 days ago",
    "in 2 hours",
  ]);
});

test("a duration has its largest unit and the next one, in words of the language", () => {
  expect(
    [0, 250, 5_000, 90_000, 3_600_000, 5_400_000, 90_000_000].map((ms) => durationText(ms, "en")),
  ).toEqual(["0 sec", "250 ms", "5 sec", "1 min 30 sec", "1 hr", "1 hr 30 min", "1 day 1 hr"]);
  expect(durationText(5_400_000, "de")).toBe("1 Std. 30 Min.");
});
