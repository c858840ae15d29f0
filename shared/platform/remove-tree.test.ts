import { expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeTree } from "./remove-tree.ts";

test("removes folders, files and links, and not what a link points to", async () => {
  const folder = mkdtempSync(join(tmpdir(), "flockcast-tree-"));
  mkdirSync(join(folder, "tree", "a", "b"), { recursive: true });
  writeFileSync(join(folder, "tree", "a", "file"), "x");
  writeFileSync(join(folder, "other"), "kept");
  symlinkSync(folder, join(folder, "tree", "link"));
  await removeTree(join(folder, "tree"));
  await removeTree(join(folder, "tree"));
  expect(existsSync(join(folder, "tree"))).toBe(false);
  expect(readFileSync(join(folder, "other"), "utf8")).toBe("kept");
  rmSync(folder, { recursive: true });
});
