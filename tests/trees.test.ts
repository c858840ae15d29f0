/** Folder trees as vendors make them arrive unchanged: links, empty folders, modes, many files. */
import { chmodSync, existsSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { reason } from "../shared/model/reason.ts";
import { runToEnd } from "../scripts/rig/process.ts";
import { programTest } from "./network-test.ts";
import { openHarness, partOf, type Harness, type Peer } from "./harness.ts";

const javaTest = await programTest({ jlink: "openjdk-17-jdk-headless" });
const pythonTest = await programTest({ python3: "python3-venv" });

let harness: Harness;
let peers: Peer[];
beforeAll(async () => {
  harness = await openHarness();
  peers = await harness.startPeers(2);
}, 60_000);
afterAll(() => harness[Symbol.asyncDispose]());

async function succeed(...words: string[]): Promise<string> {
  const done = await runToEnd(words);
  expect([words.join(" "), done.status, done.stderr.slice(-300)]).toEqual([
    words.join(" "),
    0,
    expect.anything(),
  ]);
  return done.stdout;
}

/** Lists every entry with its type, target and executable bit; packages keep no other bits. */
const listing = (folder: string): Promise<string> =>
  succeed(
    "sh",
    "-c",
    `cd "$0" && find . -type f -perm -u+x -printf '%P x\n' -o -printf '%P %y %l\n' | sort`,
    folder,
  );

/** Publishes a tree, lets the peers fetch it, and compares every entry: type, bytes, mode. */
async function expectSameTree(name: string, tree: string): Promise<void> {
  const id = await harness.publish(tree, { name, version: "1" });
  await harness.waitUntilComplete(await harness.createTask(id), peers);
  for (const peer of peers) {
    await succeed("diff", "-r", "--no-dereference", tree, peer.copyOf(name, "1"));
    expect(await listing(peer.copyOf(name, "1"))).toBe(await listing(tree));
  }
}

test("a macOS application bundle with a framework", async () => {
  const app = join(harness.folder, "Tool.app");
  const framework = join(app, "Contents/Frameworks/Core.framework");
  for (const folder of [
    join(app, "Contents/MacOS"),
    join(framework, "Versions/A/Resources"),
    join(app, "Contents/PlugIns"),
  ])
    mkdirSync(folder, { recursive: true });
  writeFileSync(join(app, "Contents/MacOS/Tool"), "#!/bin/sh\n");
  chmodSync(join(app, "Contents/MacOS/Tool"), 0o755);
  writeFileSync(join(framework, "Versions/A/Core"), Buffer.alloc(400_000, 0xcf));
  symlinkSync("A", join(framework, "Versions/Current"));
  symlinkSync("Versions/Current/Core", join(framework, "Core"));
  symlinkSync("Versions/Current/Resources", join(framework, "Resources"));
  await expectSameTree("bundle", app);
}, 60_000);

pythonTest(
  "a Python environment made with copies",
  async () => {
    const venv = join(harness.folder, "venv");
    await succeed("python3", "-m", "venv", "--copies", "--without-pip", venv);
    await expectSameTree("venv", venv);
  },
  60_000,
);

test("a node_modules tree with the links of .bin", async () => {
  const tree = join(harness.folder, "node_modules");
  const modules = realpathSync(join(import.meta.dir, "..", "node_modules"));
  // Packages of this project, with the links to their programs.
  mkdirSync(join(tree, ".bin"), { recursive: true });
  for (const name of ["commander", "typescript", "pino", "hono"].filter((each) =>
    existsSync(join(modules, each)),
  ))
    await succeed("cp", "-a", join(modules, name), tree);
  symlinkSync("../typescript/bin/tsc", join(tree, ".bin/tsc"));
  await expectSameTree("modules", tree);
}, 120_000);

javaTest(
  "a Java runtime made by jlink; Debian's own JDK is refused, and its first links that leave it are named",
  async () => {
    const image = join(harness.folder, "jre");
    await succeed("jlink", "--add-modules", "java.base", "--output", image);
    await expectSameTree("jre", image);
    for (const jdk of new Glob("java-*-openjdk-*").scanSync({
      cwd: "/usr/lib/jvm",
      onlyFiles: false,
      absolute: true,
    })) {
      const refused = await harness.tryAdmin("publish", realpathSync(jdk), "--name", "jdk", "--version", "1");
      expect([jdk, refused.status]).toEqual([jdk, 1]);
      expect(refused.stderr).toMatch(/the link "[^"]+" leads to "\/etc\/java[^"]*": it is absolute/);
    }
  },
  120_000,
);

test("a folder whose links leave it is refused, and the first of them are named", async () => {
  const jdk = join(harness.folder, "jdk");
  mkdirSync(join(jdk, "lib"), { recursive: true });
  symlinkSync("/etc/java/security", join(jdk, "lib/security"));
  symlinkSync("../../legal", join(jdk, "legal"));
  const refused = await harness.tryAdmin("publish", jdk, "--name", "jdk", "--version", "1");
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain('the link "legal" leads to "../../legal": that is outside the package');
  expect(refused.stderr).toContain('the link "lib/security" leads to "/etc/java/security": it is absolute');
});

const isOver = (state: string): boolean => state === "complete" || state === "failed";

test("a named command of the package runs, and a package without one for this system fails the task", async () => {
  const tree = join(harness.folder, "tool");
  mkdirSync(tree);
  writeFileSync(join(tree, "install.sh"), "#!/bin/sh\necho installed\n");
  chmodSync(join(tree, "install.sh"), 0o755);
  writeFileSync(
    join(tree, "flockcast.toml"),
    '[install]\nlinux = "./install.sh"\n[repair]\nwindows = "repair.cmd"\n',
  );
  const id = await harness.publish(tree, { name: "tool", version: "1" });
  const [peer] = peers as [Peer, Peer];
  const create = async (run: string): Promise<number> =>
    Number((await harness.tryAdmin("task", "create", id, "--action", "run", "--run", run)).stdout.trim());
  const installed = await harness.waitForTask(
    await create("install"),
    (task) => isOver(partOf(task, peer).state),
    30_000,
  );
  expect(partOf(installed, peer)).toMatchObject({
    state: "complete",
    command: { outputTail: "installed\n" },
  });
  const repaired = await harness.waitForTask(
    await create("repair"),
    (task) => isOver(partOf(task, peer).state),
    30_000,
  );
  expect(partOf(repaired, peer)).toMatchObject({
    state: "failed",
    reasons: [reason("no-command", { name: "repair", os: "linux" })],
  });
}, 90_000);
