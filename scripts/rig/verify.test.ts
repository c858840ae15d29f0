import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { differenceFrom, digestTree, sizeOfTree } from "./verify.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "flockcast-verification-"));
  for (const side of ["original", "copy"]) {
    await mkdir(join(folder, side, "sub"), { recursive: true });
    await writeFile(join(folder, side, "a.txt"), "one");
    await writeFile(join(folder, side, "sub", "b.txt"), "two");
  }
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const compare = async () => differenceFrom(await digestTree(join(folder, "original")), join(folder, "copy"));

test("finds no difference between equal folders", async () => {
  expect(await compare()).toBeNull();
  expect(await sizeOfTree(join(folder, "original"))).toBe(6);
});

test("names a changed, a missing and an additional file", async () => {
  await writeFile(join(folder, "copy", "sub", "b.txt"), "tWo");
  expect(await compare()).toContain('"sub/b.txt" differs');
  await rm(join(folder, "copy", "sub", "b.txt"));
  expect(await compare()).toContain('"sub/b.txt" is missing');
  await writeFile(join(folder, "copy", "sub", "b.txt"), "two");
  await writeFile(join(folder, "copy", "c.txt"), "three");
  expect(await compare()).toContain('"c.txt"');
});

test("reports a missing copy", async () => {
  await rm(join(folder, "copy"), { recursive: true });
  expect(await compare()).toContain("nothing at");
});
