/** Tests for the choice of a disk. */
import { expect, test } from "bun:test";
import {
  anyDisk,
  diskChoiceText,
  fulfils,
  matchingDisks,
  parseDiskChoice,
  type DiskFacts,
} from "./image-order.ts";

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

const narrowed = (order: string, only: string): string[] =>
  matchingDisks(parseDiskChoice(order), all)
    .filter((one) => fulfils(parseDiskChoice(only), one))
    .map(({ path }) => path);

test("conditions of the machine leave disks out of an order's choice, and add none", () => {
  expect(narrowed("min=1GB", "model=WD*")).toEqual(["/dev/nvme0n1"]);
  expect(narrowed("min=1GB", "path=/dev/sdb")).toEqual([]);
  expect(narrowed("min=1GB", "path=/dev/loop0")).toEqual([]);
  expect(narrowed("path=/dev/sdc", "path=/dev/sdc")).toEqual([]);
  expect(narrowed("path=/dev/sdb", "max=20GB")).toEqual(["/dev/sdb"]);
});
