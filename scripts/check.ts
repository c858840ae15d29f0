/**
 * The gate: `bun run check`. Format, lint (with the purity rule of the folders below the operating system), types and
 * structure (scripts/check), each by name; exit status 1 when one of them fails. Tests are scripts/test.ts, which runs
 * this first.
 */
import { join } from "node:path";
import { readProject, structureProblems } from "./check/structure.ts";

const root = join(import.meta.dir, "..");

/** Bun runs oxlint's own entry point, so that a machine without Node.js can check too. */
const steps = [
  { name: "format", command: ["fmt", "--check", "--no-script"] },
  {
    name: "lint",
    command: ["node_modules/oxlint/bin/oxlint", "--ignore-pattern=.bun", "--ignore-pattern=dist"],
  },
  { name: "types", command: ["check", "--no-script"] },
] as const;

export type CheckResult = { readonly name: string; readonly passed: boolean };

/** Runs every step, also after one that failed: a person wants to see all that is wrong. */
export async function runChecks(): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  const note = (name: string, problems: string): void => {
    const passed = problems === "";
    console.log(`${passed ? "passed" : "FAILED"}  ${name}`);
    if (!passed) console.log(problems);
    results.push({ name, passed });
  };
  for (const { name, command } of steps) {
    const child = Bun.spawn([process.execPath, ...command], {
      cwd: root,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, err, status] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    note(name, status === 0 ? "" : `${out}${err}`.trimEnd() || `exit status ${status}`);
  }
  note("structure", structureProblems(await readProject(root)).join("\n"));
  return results;
}

if (import.meta.main) {
  const results = await runChecks();
  const failed = results.filter(({ passed }) => !passed).map(({ name }) => name);
  if (failed.length > 0) {
    console.error(`The gate is closed: ${failed.join(", ")} failed (bun run format mends the format)`);
    process.exitCode = 1;
  }
}
