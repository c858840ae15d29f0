/**
 * docs/COOKBOOK.md: the blocks that begin with "# tested" run in a shell, in the order of the page,
 * against a real source with three devices. Other blocks are read by the parsers of their format.
 */
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { msiText } from "../scripts/package/msi.ts";
import { packageUnit, settingsFile } from "../scripts/package/units.ts";
import { programsFromSource } from "../scripts/rig/programs.ts";
import { runToEnd } from "../scripts/rig/process.ts";
import { openHarness, until, wanBytesFetched, type Harness, type Peer } from "./harness.ts";

const page = await readFile(join(import.meta.dir, "../docs/COOKBOOK.md"), "utf8");
const mark = "# tested\n";

type Block = { readonly recipe: string; readonly language: string; readonly text: string };
const blocks: readonly Block[] = page.split(/^## /m).flatMap((section) =>
  [...section.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language, text]) => ({
    recipe: section.split("\n")[0]!,
    language: language!,
    text: text!,
  })),
);
const waiting = blocks.filter(({ text }) => text.startsWith(mark));

let harness: Harness;
let peers: readonly Peer[] = [];
let work = "";
/** Texts of the page that stand for something of the reader → that of the test. */
let replaced: readonly (readonly [string, string])[] = [];

/** Runs the next tested block of a recipe. */
async function runNext(recipe: string): Promise<string> {
  const [block] = waiting.splice(
    waiting.findIndex((one) => one.recipe === recipe),
    1,
  );
  expect(block?.recipe).toBe(recipe);
  const text = replaced.reduce((all, [from, to]) => all.replaceAll(from, to), block!.text);
  const keep = `declare -p task load >variables 2>/dev/null`;
  const script = `set -eo pipefail\n. ./variables\n${text}\n${keep} || true\n`;
  const path = `${join(work, "bin")}:${process.env["PATH"]}`;
  const token = (await readFile(join(harness.source.data, "admin.token"), "utf8")).trim();
  const { status, stdout, stderr } = await runToEnd(["bash", "-c", `cd '${work}'\n${script}`], {
    env: { PATH: path, FLOCKCAST_SOURCE: harness.source.url, FLOCKCAST_TOKEN: token },
  });
  expect([recipe, status, status === 0 ? "" : stderr]).toEqual([recipe, 0, ""]);
  return stdout;
}

/** Returns a variable of the blocks. */
async function variable(name: string): Promise<string> {
  const text = await readFile(join(work, "variables"), "utf8");
  return new RegExp(`^declare -- ${name}="(\\d+)"$`, "m").exec(text)![1]!;
}
const admin = (...words: readonly string[]) => harness.source.admin(...words);
/** Folders of the devices whose command ran, with the package's version. */
const installed = async (): Promise<string[]> =>
  (await readFile(join(work, "installed.txt"), "utf8").catch(() => "")).trim().split("\n");

beforeAll(async () => {
  harness = await openHarness();
  work = join(harness.folder, "work");
  await mkdir(join(work, "bin"), { recursive: true });
  await mkdir(join(work, "editor"));
  for (const role of ["source", "peer"] as const) {
    const program = join(work, "bin", `flockcast-${role}`);
    const words = programsFromSource.commandOf(role).map((word) => `'${word}'`);
    await writeFile(program, `#!/bin/sh\nexec ${words.join(" ")} "$@"\n`);
    await chmod(program, 0o755);
  }
  await writeFile(join(work, "variables"), "");
  const commands = blocks.find(({ language }) => language === "toml")!;
  await writeFile(join(work, "editor/flockcast.toml"), commands.text);
  // The installer of pc-18 fails while a file is there.
  const broken = `case "$PWD" in */peer2/*) if [ -e '${work}/broken' ]; then echo no licence; exit 7; fi ;; esac`;
  const note = `echo "$FLOCKCAST_VERSION $PWD" >>'${work}/installed.txt'`;
  await writeFile(join(work, "editor/install.sh"), `${broken}\n${note}\n`);
  await writeFile(join(work, "editor/remove.sh"), `echo "removed $PWD" >>'${work}/installed.txt'\n`);
  await copyFile(join(harness.source.data, "tls.crt"), join(work, "tls.crt"));
  peers = [];
  for (const name of ["peer1", "peer2", "peer3"]) peers = [...peers, await harness.startPeer({ name })];
  for (const [index, peer] of peers.entries()) await admin("device", "rename", peer.id, `pc-${17 + index}`);
  const [subnet] = await harness.client.subnets();
  replaced = [
    ["https://source.example:7443", harness.source.url],
    // Nobody answers there, so the devices stay.
    ["https://new.example:7443", "https://127.0.0.1:9"],
    ["10.1.0.0/16", subnet!.id],
  ];
}, 120_000);
afterAll(() => harness[Symbol.asyncDispose]());

const taskIds = async () => (await harness.client.tasks()).map(({ id }) => id);
const settings = async () => (await harness.client.devices()).map(({ setting }) => setting);

describe.skipIf(process.platform !== "linux")("the recipe", () => {
  test("of an enrolment token prints one that enrols a device with its tags", async () => {
    await runNext("Install on Windows, silently");
    const enrollToken = (await readFile(join(work, "enroll.token"), "utf8")).trim();
    const peer = await harness.startPeer({ name: "fresh", enrollToken });
    const listed = await admin("device", "list", "--filter", "tag=windows-rollout", "--json");
    expect(listed).toContain(peer.id);
    await admin("device", "remove", peer.id, "--yes");
    await peer.kill();
  }, 60_000);

  test("of a pilot installs once on each device, the pilot first", async () => {
    await runNext("Publish a package");
    await runNext("A pilot, then all");
    const folders = (await installed()).map((line) => /\/(peer\d)\//.exec(line)?.[1]);
    expect(folders.toSorted()).toEqual(["peer1", "peer2", "peer3"]);
    expect(folders.at(-1)).toBe("peer3");
  }, 120_000);

  test("of failed devices names the one with its output, and repeats the task there alone", async () => {
    await writeFile(join(work, "broken"), "");
    const shown = await runNext("Repeat the failed");
    expect(shown).toContain("no licence");
    expect(shown).toContain("pc-18");
    expect((await installed()).filter((line) => line.startsWith("4.3"))).toHaveLength(2);
    await rm(join(work, "broken"));
    await runNext("Repeat the failed");
    expect((await installed()).filter((line) => line.startsWith("4.3"))).toHaveLength(3);
    const task = await harness.client.task(Number(await variable("task")));
    expect(task.devices).toMatchObject({ complete: 3, failed: 0 });
  }, 120_000);

  test("of a branch's cost prints its devices and the account, and creates nothing", async () => {
    const before = await taskIds();
    const preview = await runNext("What a branch would cost");
    expect(preview).toMatch(/^devices +3$/m);
    expect(await taskIds()).toEqual(before);
    expect(await runNext("What a branch would cost")).toContain("Hamburg");
  }, 60_000);

  test("of the night gives the devices of the site the setting, until it is unassigned", async () => {
    await runNext("At night only");
    expect(await settings()).toEqual(["night", "night", "night"]);
    await admin("task", "cancel", await variable("task"));
    await runNext("At night only");
    expect(await settings()).toEqual(["default", "default", "default"]);
  }, 60_000);

  test("of loading ahead leaves no byte for the installation", async () => {
    const list = await runNext("Load tonight, install tomorrow");
    expect(list.match(/scheduled/g)).toHaveLength(2);
    const [load, task] = [Number(await variable("load")), Number(await variable("task"))];
    await admin("task", "start-now", String(load));
    await harness.waitUntilComplete(load, peers);
    await admin("task", "start-now", String(task));
    expect(wanBytesFetched(await harness.waitUntilComplete(task, peers))).toBe(0);
    expect((await installed()).filter((line) => line.startsWith("4.4"))).toHaveLength(3);
  }, 120_000);

  test("of taking away runs the uninstaller, and removes the package at the source", async () => {
    await runNext("Take a package away");
    expect((await installed()).filter((line) => line.startsWith("removed"))).toHaveLength(3);
    expect(await admin("package", "list")).not.toContain("4.2");
  }, 120_000);

  test("of a move announces the address, and the devices stay where the source answers", async () => {
    expect(await runNext("Move the source to another machine")).toContain("https://127.0.0.1:9");
    await admin("source", "move", "--cancel");
    expect((await peers[0]!.status()).connected).toBe(true);
  }, 60_000);

  test("of Prometheus reads the metrics with a token that may do nothing else", async () => {
    await until(
      () => "no metrics",
      30_000,
      async () => existsSync(join(work, "tls.crt")) || null,
    );
    expect(await runNext("Watch it with Prometheus")).toContain("flockcast_source_devices_connected");
    const refused = await harness.run(
      "source",
      "site",
      "create",
      "Kiel",
      "--source",
      harness.source.url,
      "--token-file",
      join(work, "flockcast.token"),
    );
    expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining("viewer")]);
  }, 60_000);

  test("is run for every block that is marked", () => {
    expect(waiting).toEqual([]);
    expect(blocks.filter(({ text }) => text.startsWith(mark)).length).toBeGreaterThan(12);
  });
});

test("the properties of every msiexec line are those of the package", async () => {
  const known = msiText({ name: "flockcast-peer", version: "1.2.3", architecture: "x64" });
  for (const name of ["COOKBOOK.md", "install/windows.md"]) {
    const text = await readFile(join(import.meta.dir, "../docs", name), "utf8");
    const lines = [...text.matchAll(/msiexec \/[ix] flockcast[^`\n]*/g)].map(([line]) => line);
    expect(lines.length).toBeGreaterThan(1);
    for (const [, property] of lines.join("\n").matchAll(/\b([A-Z]{4,})=/g))
      expect(known).toMatch(new RegExp(`\\[${property}\\]|AND ${property}<`));
    for (const [, property] of text.matchAll(/^\| `([A-Z]+)` /gm))
      expect(known).toMatch(new RegExp(`\\[${property}\\]|AND ${property}<`));
  }
});

test("the playbook and the configuration of Prometheus are YAML with the variables of the package", () => {
  const documents = blocks
    .filter(({ language }) => language === "yaml")
    .map(({ text }) => Bun.YAML.parse(text));
  expect(documents).toEqual([
    [expect.objectContaining({ hosts: "branches" })],
    expect.objectContaining({ rule_files: ["alerts.yml"] }),
  ]);
  const playbook = JSON.stringify(documents[0]);
  expect(playbook).toContain(settingsFile("flockcast-peer"));
  expect(packageUnit("flockcast-peer")).toContain("$FLOCKCAST_OPTIONS");
  expect(packageUnit("flockcast-peer")).toContain(`EnvironmentFile=-${settingsFile("flockcast-peer")}`);
});
