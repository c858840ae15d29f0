/** Behaviour of the bootstrap towards its caller, with Bun in place of Node.js. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, beforeAll, expect, test } from "bun:test";

const root = join(import.meta.dir, "..");
const bootstrap = join(import.meta.dir, "bootstrap.mjs");
let folder = "";
let script = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flockcast-bootstrap-"));
  await writeFile(
    join(folder, "script.ts"),
    `const [word] = process.argv.slice(2);
     if (word === "wait") { process.on("SIGTERM", () => process.exit(7)); console.log("ready"); setInterval(() => {}, 1000); }
     else { console.log(JSON.stringify(process.argv.slice(2))); process.exit(5); }`,
  );
  script = relative(root, join(folder, "script.ts"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("passes arguments to the script as written, and exits with its status", () => {
  const run = Bun.spawnSync([process.execPath, bootstrap, script, "--a", "b c", "--", "-d"], { cwd: folder });
  expect(run.stdout.toString().trim()).toBe('["--a","b c","--","-d"]');
  expect(run.exitCode).toBe(5);
});

test("forwards a termination signal to the script, and exits with its status", async () => {
  const child = Bun.spawn([process.execPath, bootstrap, script, "wait"], { stdout: "pipe" });
  for await (const piece of child.stdout) if (new TextDecoder().decode(piece).includes("ready")) break;
  child.kill("SIGTERM");
  expect(await child.exited).toBe(7);
});

test("states how to name a script when none is given", () => {
  const run = Bun.spawnSync([process.execPath, bootstrap], { stderr: "pipe" });
  expect(run.stderr.toString()).toContain("Name a script");
  expect(run.exitCode).toBe(1);
});
