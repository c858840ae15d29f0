import { expect, test } from "bun:test";
import { diskShareBytes, formatDiskShare, parseDiskShare } from "./disk-share.ts";

test.each([
  ["10%", { percent: 10 }, 1e11],
  ["2.5 %", { percent: 2.5 }, 2.5e10],
  ["20GB", { bytes: 2e10 }, 2e10],
  ["0", { bytes: 0 }, 0],
])("%s of a disk of 1 TB", (text, share, bytes) => {
  expect(parseDiskShare(text)).toEqual(share);
  expect(parseDiskShare(formatDiskShare(share))).toEqual(share);
  expect(diskShareBytes(share, 1e12)).toBe(bytes);
});

test.each(["", "ten", "%", "-5%"])("%j is refused with an example", (text) => {
  expect(() => parseDiskShare(text)).toThrow(/for example 10% or 20GiB/);
});
