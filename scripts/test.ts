/**
 * `npm test`: the gate, then every test. The last line is "N passed, N failed", and ", N skipped"
 * if tests were skipped. Each step of the gate counts as one. Exit status 1 when anything failed.
 *
 * Files of tests run side by side, one in each processor and at most four, the slowest first by
 * test-timings.json. Tests of processes and namespaces wait for most of their time. Every file has
 * ports, groups, namespaces and folders of its own, so that labs of other users do not matter
 * either. `--update-timings` writes the measured times of this run to the file.
 *
 * The counts are those that `bun test` prints, so a test file that cannot be loaded counts as
 * failed. Skipped tests are listed by name; the name of a test that skips itself contains the
 * reason.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { runChecks } from "./check.ts";

const root = join(import.meta.dir, "..");
const testTimeoutMs = 60_000;
/** Bound on files side by side: more would make a timer of a test late on a busy machine. */
const workersMax = 4;

type Counts = { passed: number; failed: number; skipped: number };

/**
 * Parses Bun's summary: " 12 pass", " 1 skip", " 2 fail" … on lines before "Ran 15 tests across 4
 * files". Returns null without one. Todo tests count as skipped.
 */
export function parseSummary(output: string): Counts | null {
  const end = output.lastIndexOf("\nRan ");
  if (end < 0) return null;
  const counted: Record<string, number> = {};
  for (const line of output.slice(0, end).split("\n").toReversed()) {
    const match = /^ +(\d+) (\S.*)$/.exec(line);
    if (match) counted[match[2]!] = Number(match[1]);
    else if (line.trim() !== "") break;
  }
  const of = (word: string) => counted[word] ?? 0;
  return { passed: of("pass"), failed: of("fail"), skipped: of("skip") + of("todo") };
}

const unescapeXml = (text: string): string =>
  text
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&apos;", "'")
    .replaceAll("&amp;", "&");

/** Returns the names of skipped tests in a JUnit file, as "file: name". */
export function skippedNames(junit: string): string[] {
  const skipped = /<testcase name="([^"]*)"[^>]*? file="([^"]*)"[^>]*[^/]>\s*<skipped/g;
  return [...junit.matchAll(skipped)].map((match) => `${unescapeXml(match[2]!)}: ${unescapeXml(match[1]!)}`);
}

/** Copies a stream to the terminal and returns its text. */
async function tee(stream: ReadableStream<Uint8Array>, to: NodeJS.WriteStream): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of stream) {
    to.write(piece);
    text += decoder.decode(piece, { stream: true });
  }
  return text;
}

async function runTests(args: readonly string[]): Promise<Counts> {
  const folder = await mkdtemp(join(tmpdir(), "flockcast-test-"));
  const report = join(folder, "junit.xml");
  const reporter = ["--reporter=junit", `--reporter-outfile=${report}`];
  const workers = Math.min(workersMax, availableParallelism());
  const timings = `--timings=${join(import.meta.dir, "test-timings.json")}`;
  const options = [`--timeout=${testTimeoutMs}`, `--parallel=${workers}`, timings];
  const child = Bun.spawn([process.execPath, "test", ...options, ...reporter, ...args], {
    cwd: root,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const forward = (signal: NodeJS.Signals) => child.kill(signal);
  process.on("SIGINT", forward).on("SIGTERM", forward);
  const [, err, status] = await Promise.all([
    tee(child.stdout, process.stdout),
    tee(child.stderr, process.stdout),
    child.exited,
  ]);
  const counts = parseSummary(err) ?? { passed: 0, failed: 1, skipped: 0 };
  if (status !== 0 && counts.failed === 0) counts.failed = 1;
  const skipped = skippedNames(await readFile(report, "utf8").catch(() => ""));
  if (skipped.length > 0) console.log(`\nSkipped:\n${skipped.map((name) => `  ${name}`).join("\n")}`);
  await rm(folder, { recursive: true, force: true });
  return counts;
}

if (import.meta.main) {
  const checks = await runChecks();
  const counts = await runTests(process.argv.slice(2));
  for (const { passed } of checks) counts[passed ? "passed" : "failed"] += 1;
  const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : "";
  console.log(`\n${counts.passed} passed, ${counts.failed} failed${skipped}`);
  process.exitCode = counts.failed > 0 ? 1 : 0;
}
