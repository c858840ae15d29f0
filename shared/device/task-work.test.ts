import { expect, test } from "bun:test";
import { reason } from "../model/reason.ts";
import { workOf } from "./task-work.ts";

const manifestOf = (...paths: string[]) => ({
  commands: [],
  files: paths.map((path) => ({ path, sizeBytes: 1, mode: 0o755 })),
});
const portsOf = (fileName: string | null) =>
  ({ commands: { os: "linux" }, upgrades: { fileName } }) as Parameters<typeof workOf>[2];
const task = { action: "upgrade", command: null, run: null } as const;
const name = "flockcast-peer-linux-x64";

test.each([
  ["the file in the package", [name], name],
  ["the file among those of other systems", [`${name}-baseline`, `${name}-musl`, name, "SHA256SUMS"], name],
  ["the file in a folder", ["a/b", `dist/${name}`], `dist/${name}`],
  ["the file in the fewest folders", [`a/b/${name}`, `z/${name}`], `z/${name}`],
])("an upgrade takes %s", (_, paths, path) => {
  const manifest = manifestOf(...paths) as Parameters<typeof workOf>[1];
  expect(workOf(task, manifest, portsOf(name))).toEqual({ kind: "upgrade", path });
});

test("an upgrade without a fitting file names the file", () => {
  const manifest = manifestOf(`${name}-baseline`, `${name}.exe`) as Parameters<typeof workOf>[1];
  expect(workOf(task, manifest, portsOf(name))).toEqual({
    kind: "missing",
    reason: reason("no-fitting-file", { fileName: name }),
  });
});

test("an agent that is not an executable cannot be upgraded", () => {
  const manifest = manifestOf(name) as Parameters<typeof workOf>[1];
  expect(workOf(task, manifest, portsOf(null))).toMatchObject({ kind: "missing" });
  expect(workOf({ ...task, action: "pre-cache" }, manifest, portsOf(null))).toEqual({ kind: "none" });
});
