/**
 * The gate, `bun run check`: format, lint (which also keeps the core and the device shell free of
 * I/O), types, structure, the language of comments, and links of documents (scripts/check). Exit
 * status 1 when a step fails. `scripts/test.ts` runs the gate before the tests.
 */
import { join } from "node:path";
import { commentProblems } from "./check/comments.ts";
import { linkProblems, linkTargets } from "./check/links.ts";
import { readProject, structureProblems } from "./check/structure.ts";

const root = join(import.meta.dir, "..");

/** Steps of the gate. Bun runs oxlint's entry point directly, so that Node.js is not needed. */
const steps = [
  { name: "format", command: ["fmt", "--check", "--no-script"] },
  {
    name: "lint",
    command: ["node_modules/oxlint/bin/oxlint", "--ignore-pattern=.bun", "--ignore-pattern=dist"],
  },
  { name: "types", command: ["check", "--no-script"] },
  // Code for browsers has types of its own.
  { name: "types of the console", command: ["check", "--no-script", "-p", "shared/source/console/pages"] },
] as const;

type CheckResult = { readonly name: string; readonly passed: boolean };

/** Runs every step and prints its result, also after a failure, so that all problems are shown. */
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
  const files = await readProject(root);
  note("structure", structureProblems(files).join("\n"));
  note("comments", commentProblems(files).join("\n"));
  note("links", linkProblems(files, await linkTargets(root)).join("\n"));
  return results;
}

if (import.meta.main) {
  const results = await runChecks();
  const failed = results.filter(({ passed }) => !passed).map(({ name }) => name);
  if (failed.length > 0) {
    console.error(`${failed.join(", ")} failed ("bun run format" corrects the format)`);
    process.exitCode = 1;
  }
}
