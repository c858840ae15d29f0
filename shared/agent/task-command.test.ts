import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { adoptCommand, commandsIn, runCommand } from "./task-command.ts";

const folders: string[] = [];
const { signal } = new AbortController();
afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true })));

async function run(command: string) {
  const folder = mkdtempSync(join(tmpdir(), "flockcast-command-"));
  folders.push(folder);
  const outcome = await runCommand(
    {
      taskId: 7,
      identity: "a",
      key: "run 1.1",
      folder,
      command,
      shell: null,
      environment: {},
      timeoutMs: 20_000,
      signal: new AbortController().signal,
    },
    join(folder, "output"),
  );
  const path = join(folder, "output", "7.log");
  return { folder, outcome, path, output: readFileSync(path, "utf8") };
}

test.skipIf(process.platform === "win32")("a short output is kept whole, with its errors", async () => {
  const { outcome, output } = await run("echo one; echo two >&2; exit 3");
  expect(output).toBe("one\ntwo\n");
  expect(outcome).toEqual({ exitCode: 3, timedOut: false, outputTail: "one\ntwo\n" });
});

test.skipIf(process.platform === "win32")("a long output keeps its beginning and its end", async () => {
  // 400 MB, in several cuts.
  const { outcome, path, output } = await run(
    "echo first; yes 0123456789abcde | head -c 400000000; echo; echo last",
  );
  expect(output).toStartWith("first\n0123456789abcde\n");
  expect(output).toEndWith("\nlast\n");
  expect(statSync(path).size).toBeLessThan(1_200_000);
  const leftOut = Number(/\[(\d+) bytes of the output are left out here\]/.exec(output)?.[1]);
  const noteBytes = `\n[${leftOut} bytes of the output are left out here]\n`.length;
  // Bytes written between a look at the file and its cut are lost without being counted.
  const writtenBytes = "first\n".length + 400_000_000 + "\nlast\n".length;
  expect(leftOut + output.length - noteBytes).toBeLessThanOrEqual(writtenBytes);
  expect(leftOut).toBeGreaterThan(200_000_000);
  expect(outcome.outputTail).toHaveLength(4_096);
  expect(outcome.outputTail).toEndWith("0123456789abcde\n\nlast\n");
});

test.skipIf(process.platform === "win32")(
  "a service that a command leaves behind goes on writing",
  async () => {
    const { path } = await run("(sleep 0.3; echo from the service) & echo started");
    for (let waited = 0; waited < 5_000 && !readFileSync(path, "utf8").includes("service"); waited += 20)
      await Bun.sleep(20);
    expect(readFileSync(path, "utf8")).toBe("started\nfrom the service\n");
  },
);

test.skipIf(process.platform === "win32")(
  "an output that was written between two looks is cut as well",
  async () => {
    const { path, output } = await run("head -c 9000000 /dev/zero | tr '\\0' x; echo last");
    expect(statSync(path).size).toBeLessThan(1_200_000);
    expect(output).toEndWith("xlast\n");
  },
);

test.each([
  ["run 1.1 0\n", 0],
  ["run 1.1 3010\r\n", 3_010],
  ["run 1.1 -2147024891\r\n", -2_147_024_891],
  ["run 1.1 30", null],
  ["run 1.2 0\n", null],
  ["\0".repeat(16), null],
  ["", null],
])("the next agent reads from the stored status %j the exit code %p", async (stored, exitCode) => {
  const folder = mkdtempSync(join(tmpdir(), "flockcast-command-"));
  folders.push(folder);
  writeFileSync(join(folder, "7.status"), stored);
  const outcome = await adoptCommand(
    { taskId: 7, identity: "", key: "run 1.1", timeoutMs: 20_000, signal },
    folder,
  );
  expect(outcome?.exitCode ?? null).toBe(exitCode);
});

test("files of a run are a trace of its task, and not of another one with the id", async () => {
  const { folder } = await run("exit 0");
  const { hasTrace } = commandsIn(join(folder, "output"));
  expect([hasTrace(7, "a"), hasTrace(7, "b"), hasTrace(8, "a")]).toEqual([true, false, false]);
  // The agent ended before it noted the run: it may be one of any task.
  rmSync(join(folder, "output", "7.run"));
  expect(hasTrace(7, "b")).toBe(true);
});

test("a run of another task with the id is not adopted", async () => {
  const { folder } = await run("exit 5");
  const adopt = (identity: string) =>
    adoptCommand({ taskId: 7, identity, key: null, timeoutMs: 20_000, signal }, join(folder, "output"));
  expect([(await adopt("a"))?.exitCode, await adopt("b")]).toEqual([5, null]);
});
