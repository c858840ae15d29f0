import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  formatBinarySize,
  formatDuration,
  formatRate,
  formatSize,
  parseBoolean,
  parseDurationMs,
  parseInteger,
  parseIntegerList,
  parseRateBps,
  parseSizeBytes,
} from "./quantity.ts";

describe("a duration", () => {
  test.each([
    ["0", 0],
    ["0s", 0],
    ["250ms", 250],
    ["60s", 60_000],
    ["1.5s", 1_500],
    ["5m", 300_000],
    ["24h", 86_400_000],
    ["7d", 604_800_000],
    [" 5 M ", 300_000],
    ["0.4ms", 0],
    ["0.5ms", 1],
  ])("%p is parsed to %p ms", (text, ms) => {
    expect(parseDurationMs(text)).toBe(ms);
  });

  test.each(["", "5", "s", "-5s", "5 years", "5m30s", "1,5s", ".5s", "1e3s", "Infinitys", "5constructor"])(
    "%p is refused with the text and an example",
    (text) => {
      expect(() => parseDurationMs(text)).toThrow(
        `"${text}" is not a duration: write for example 500ms, 60s, 5m, 24h or 7d`,
      );
    },
  );

  test.each([
    [0, "0s"],
    [1, "1ms"],
    [999, "999ms"],
    [1_000, "1s"],
    [1_500, "1500ms"],
    [60_000, "1m"],
    [90_000, "90s"],
    [3_600_000, "1h"],
    [5_400_000, "90m"],
    [86_400_000, "1d"],
    [90_000_000, "25h"],
  ])("of %p ms is formatted as %p", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  test("that was formatted is parsed to the same number of milliseconds", () => {
    const unitMs = fc.constantFrom(1, 1_000, 60_000, 3_600_000, 86_400_000);
    fc.assert(
      fc.property(fc.nat(100_000), unitMs, (count, ms) => {
        expect(parseDurationMs(formatDuration(count * ms))).toBe(count * ms);
      }),
    );
  });
});

describe("a size", () => {
  test.each([
    ["0", 0],
    ["1048576", 1_048_576],
    ["500MB", 500_000_000],
    ["10GiB", 10_737_418_240],
    ["1.5 kib", 1_536],
    ["1kb", 1_000],
    ["1b", 1],
    ["2TB", 2e12],
    ["2TiB", 2_199_023_255_552],
  ])("%p is parsed to %p bytes", (text, bytes) => {
    expect(parseSizeBytes(text)).toBe(bytes);
  });

  test.each(["", "-1", "MB", "1PB", "0x10", "1_000", "9".repeat(400)])(
    "%p is refused with the text and an example",
    (text) => {
      expect(() => parseSizeBytes(text)).toThrow(
        `"${text}" is not a size: write for example 1048576, 500MB or 10GiB`,
      );
    },
  );

  test.each([
    [999, "999 B"],
    [1_500, "1.5 kB"],
    [104_000_000, "104 MB"],
    [1_048_576, "1 MB"],
  ])("of %p bytes is formatted as %p", (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
  });

  test("that is a power of two is formatted with its binary unit", () => {
    expect([1_024, 4_194_304, 1_610_612_736].map(formatBinarySize)).toEqual(["1 KiB", "4 MiB", "1.5 GiB"]);
  });
});

describe("a rate", () => {
  test.each([
    ["64000", 64_000],
    ["64kbit", 64_000],
    ["20mbit", 20_000_000],
    ["20Mbit/s", 20_000_000],
    ["20mbitps", 20_000_000],
    ["1.5gbit", 1_500_000_000],
    ["8 bit", 8],
  ])("%p is parsed to %p bit/s", (text, bps) => {
    expect(parseRateBps(text)).toBe(bps);
  });

  test.each(["", "fast", "20mbps", "20MB", "-1mbit"])(
    "%p is refused with the text and an example",
    (text) => {
      expect(() => parseRateBps(text)).toThrow(
        `"${text}" is not a rate: write for example 64kbit, 20mbit or 1gbit`,
      );
    },
  );

  test.each([
    [0, "0bit"],
    [999, "999bit"],
    [64_000, "64kbit"],
    [20_000_000, "20mbit"],
    [1_500_000_000, "1.5gbit"],
    [12_345_678, "12.35mbit"],
    [2_500_000_000_000, "2500gbit"],
  ])("of %p bit/s is formatted as %p", (bps, text) => {
    expect(formatRate(bps)).toBe(text);
  });
});

describe("a whole number", () => {
  test.each([
    ["0", 0],
    ["-17", -17],
    [" 42 ", 42],
    ["999999999999999", 999_999_999_999_999],
  ])("%p is parsed to %p", (text, value) => {
    expect(parseInteger(text)).toBe(value);
  });

  test.each(["", "1.5", "1e3", "+1", "0x10", "--1", "9999999999999999"])("%p is refused", (text) => {
    expect(() => parseInteger(text)).toThrow(`"${text}" is not a whole number`);
  });

  test("is parsed from each part of a list, and one wrong part refuses the list", () => {
    expect(parseIntegerList("0, 3010,1641")).toEqual([0, 3_010, 1_641]);
    expect(() => parseIntegerList("0,,1")).toThrow(`"" is not a whole number`);
  });
});

test.each([
  ["true", true],
  ["yes", true],
  ["on", true],
  ["false", false],
  ["no", false],
  ["off", false],
])("the switch %p is parsed to %p", (text, value) => {
  expect(parseBoolean(text)).toBe(value);
});

test.each(["", "True", "1", "enabled"])("the switch %p is refused with the text", (text) => {
  expect(() => parseBoolean(text)).toThrow(`"${text}" is neither true nor false`);
});
