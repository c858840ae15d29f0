/** Programs in an environment or a folder that another user prepared: real processes. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { cleanEnvironment } from "../scripts/rig/process.ts";
import { programsFromSource } from "../scripts/rig/programs.ts";
import { variableProblem } from "../shared/platform/runtime-variables.ts";
import { rootTest } from "./root-test.ts";

let folder = "";
let foreign = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "flockcast-foreign-"));
  foreign = join(folder, "foreign.ts");
  writeFileSync(foreign, 'console.log("FOREIGN CODE");');
  writeFileSync(join(folder, "bunfig.toml"), 'preload = ["./foreign.ts"]');
  writeFileSync(join(folder, ".env"), "FLOCKCAST_LOG=debug\nNODE_OPTIONS=--title=foreign\n");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function run(
  role: "peer" | "source",
  environment: Readonly<Record<string, string>> = {},
  words = programsFromSource.commandOf(role),
) {
  const PATH = `${dirname(process.execPath)}:${process.env["PATH"]}`;
  const child = Bun.spawn([...words, "--version"], {
    cwd: folder,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env: { ...cleanEnvironment(), PATH, ...environment },
  });
  const [out, error] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { status: await child.exited, out, error };
}

rootTest("a program that root runs refuses variables that load foreign code", async () => {
  for (const [name, value] of [
    ["NODE_OPTIONS", "--title=x"],
    ["BUN_CONFIG_VERBOSE_FETCH", "curl"],
    ["BUN_RUNTIME_TRANSPILER_CACHE_PATH", folder],
  ] as const) {
    const { status, error } = await run("peer", { [name]: value });
    expect([name, status]).toEqual([name, 1]);
    expect(error).toContain(`flockcast-peer: The environment has ${name}, which can make this program run`);
  }
  const preloaded = await run("source", { BUN_OPTIONS: `--preload=${foreign}` });
  expect([preloaded.status, preloaded.error]).toEqual([1, expect.stringContaining("BUN_OPTIONS")]);
});

test("a program takes nothing from .env and bunfig.toml of its working folder", async () => {
  for (const role of ["peer", "source"] as const) {
    const byName = [join(import.meta.dir, "..", "roles", `${role}.ts`)];
    for (const words of [programsFromSource.commandOf(role), byName]) {
      const { status, out } = await run(role, {}, words);
      expect([role, status]).toEqual([role, 0]);
      expect(out).not.toContain("FOREIGN");
    }
  }
});

test("other users keep their variables, and nobody the one that accepts any certificate", () => {
  const environment = { BUN_OPTIONS: "--smol", NODE_TLS_REJECT_UNAUTHORIZED: "0", NODE_OPTIONS: "" };
  expect(variableProblem(environment, false)).toBeNull();
  expect(Object.keys(environment)).toEqual(["BUN_OPTIONS", "NODE_OPTIONS"]);
  expect(variableProblem(environment, true)).toContain("has BUN_OPTIONS, which");
  expect(variableProblem({ NODE_OPTIONS: "" }, true)).toBeNull();
  expect(variableProblem({ PATH: "/bin", BUN_INSPECT: "x", NODE_PATH: "/tmp" }, true)).toContain(
    "BUN_INSPECT, NODE_PATH",
  );
});
