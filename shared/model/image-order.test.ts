/** Tests for the choice of a disk. */
import { expect, test } from "bun:test";
import { anyDisk, diskChoiceText, matchingDisks, parseDiskChoice, type DiskFacts } from "./image-order.ts";

const disk = (changes: Partial<DiskFacts>): DiskFacts => ({
  path: "/dev/sda",
  model: "Samsung SSD 870",
  serial: "S1",
  sizeBytes: 500e9,
  isReadOnly: false,
  isRemovable: false,
  isVirtual: false,
  uses: [],
  ...changes,
});
const stick = disk({ path: "/dev/sdb", model: "Stick", serial: "T9", sizeBytes: 16e9, isRemovable: true });
const large = disk({ path: "/dev/nvme0n1", model: "WD Black", sizeBytes: 2e12 });
const loop = disk({ path: "/dev/loop0", model: "", isVirtual: true });
const all = [disk({}), stick, large, loop, disk({ path: "/dev/sdc", isReadOnly: true })];

const pathsOf = (words: string): string[] =>
  matchingDisks(parseDiskChoice(words), all).map(({ path }) => path);

test("a choice takes fixed disks by model, serial and size", () => {
  expect(matchingDisks(anyDisk, all).map(({ path }) => path)).toEqual(["/dev/sda", "/dev/nvme0n1"]);
  expect(pathsOf("model=samsung*")).toEqual(["/dev/sda"]);
  expect(pathsOf("serial=S?,max=1TB")).toEqual(["/dev/sda"]);
  expect(pathsOf("min=1TB")).toEqual(["/dev/nvme0n1"]);
  expect(pathsOf("min=3TB")).toEqual([]);
});

test("removable and virtual disks count only if they are named, read-only ones never", () => {
  expect(pathsOf("max=20GB")).toEqual([]);
  expect(pathsOf("model=Stick")).toEqual(["/dev/sdb"]);
  expect(pathsOf("path=/dev/loop0")).toEqual(["/dev/loop0"]);
  expect(pathsOf("path=/dev/sdc")).toEqual([]);
});

test("a choice that cannot be read names the wrong part", () => {
  for (const [words, why] of [
    ["size=3", '"size=3" is not a condition'],
    ["", '"" is not a condition'],
    ["path=sda", "begins with /dev/"],
    ["model=", "condition model"],
    ["min=much", "much"],
  ] as const)
    expect(() => parseDiskChoice(words)).toThrow(why);
});

test("a choice has words for the person who signs it", () => {
  expect(diskChoiceText(anyDisk)).toBe("the only fixed disk");
  expect(diskChoiceText(parseDiskChoice("path=/dev/sda,min=1GB"))).toBe("/dev/sda, at least 1 GB");
});
