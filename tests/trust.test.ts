/**
 * Devices obey operators' keys, whatever the source does: with real processes, and a source in the
 * hands of an attacker.
 */
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { programsFromSource, type Programs } from "../scripts/rig/programs.ts";
import type { AgentStatus } from "../shared/agent/status/status-server.ts";
import { reasonsText } from "../shared/model/reason.ts";
import { createCleanups } from "./cleanups.ts";
import { until, type Harness, type Peer } from "./harness.ts";

const { addCleanup, open } = createCleanups();
const waitMs = 60_000;

/** Programs with a source that a file turns into an attacker. */
const lyingPrograms: Programs = {
  commandOf: (role) => {
    const words = programsFromSource.commandOf(role);
    if (role !== "source") return words;
    return [words[0]!, "--preload", join(import.meta.dir, "lying-source.ts"), ...words.slice(1)];
  },
};

const quick = ["checkInInterval=1s"];

async function untilStatus<T>(
  peer: Peer,
  what: string,
  probe: (status: AgentStatus) => T | null,
): Promise<T> {
  let last: AgentStatus | null = null;
  return until(
    () => `${what}: ${JSON.stringify(last?.trust)} ${JSON.stringify(last?.tasks)}`,
    waitMs,
    async () => probe((last = await peer.status())),
  );
}

/** Moves the keys away from the source. @returns the folder with them */
async function exportKeys(harness: Harness): Promise<string> {
  const keys = join(harness.folder, "keys");
  const done = await harness.tryAdmin("trust", "export", "--data", harness.source.data, "--out", keys);
  expect([done.status, done.stderr.split("\n").filter((line) => line.startsWith("error"))]).toEqual([0, []]);
  return keys;
}

/** Signs what waits, as a person who has read the list. */
async function signAll(harness: Harness, ...operator: string[]): Promise<string> {
  const all = ["trust", "sign", "--all", ...operator];
  const { stderr } = await harness.tryAdmin(...all);
  const code = /--confirm ([0-9a-f]{16})/.exec(stderr)?.[1];
  const signed = await harness.tryAdmin(...all, "--confirm", code ?? "none");
  expect([signed.status, stderr]).toEqual([0, expect.stringContaining("Nothing was signed")]);
  return signed.stderr;
}

async function openLying(): Promise<{ harness: Harness; lie: (name: string) => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "flockcast-lie-"));
  addCleanup(() => rm(folder, { recursive: true }));
  const file = join(folder, "lie");
  await writeFile(file, "none");
  const harness = await open({ programs: lyingPrograms, settings: quick, env: { FLOCKCAST_LIE: file } });
  return { harness, lie: (name) => writeFile(file, name) };
}
test("a source without keys hands out nothing that no operator signed, and obeys one that did", async () => {
  const harness = await open({ settings: quick });
  const [peer] = await harness.startPeers(1);
  const packageId = await harness.publish(await harness.makeFile("tool.bin", 200_000), {
    name: "tool",
    version: "1",
  });
  const before = await harness.createTask(packageId, { action: "run", command: "echo one >> ../../../runs" });
  await harness.waitUntilComplete(before, [peer!]);
  expect((await peer!.status()).trust).toMatchObject({ embedded: true, isStale: false, refused: [] });

  const keys = await exportKeys(harness);
  expect((await readdir(keys)).toSorted()).toEqual([
    "operator.key",
    "publisher.key",
    "root.key",
    "root.key.version",
  ]);
  expect(await readFile(join(harness.source.data, "signing.keys"), "utf8")).toContain('"keys": null');
  const unsigned = await harness.tryAdmin(
    "task",
    "create",
    packageId,
    "--action",
    "run",
    "--command",
    "echo two >> ../../../runs",
  );
  expect(unsigned.status).toBe(0);
  expect(unsigned.stderr).toContain("no device obeys task 2 until it is signed");
  const list = (await harness.tryAdmin("task", "list")).stdout.split("\n");
  expect(list.map((line) => /not signed/.test(line))).toEqual([false, false, true, false]);
  await untilStatus(peer!, "the keys are elsewhere", ({ trust }) => (trust.embedded ? null : true));
  await Bun.sleep(2_500);
  expect((await harness.client.task(2)).deviceList[0]!.state).toBe("pending");

  const operator = ["--operator-key", join(keys, "operator.key")];
  // No operator has signed this task: only who has read all of it may do so.
  const edited = await harness.tryAdmin("task", "edit", "2", "--expires", "+2d", ...operator);
  expect([edited.status, edited.stderr]).toEqual([1, expect.stringContaining("trust sign --all shows")]);
  expect(await signAll(harness, ...operator)).toContain("signs task 2: run tool 1");
  await harness.waitUntilComplete(2, [peer!]);
  const third = await harness.tryAdmin(
    "task",
    "create",
    "tool@1",
    "--action",
    "run",
    "--command",
    "echo three >> ../../../runs",
    ...operator,
  );
  expect(third.status).toBe(0);
  await harness.waitUntilComplete(3, [peer!]);
  expect(await readFile(join(peer!.data, "runs"), "utf8")).toBe("one\ntwo\nthree\n");
  const setting = await harness.tryAdmin("setting", "set", "default", "lanRate=90mbit", ...operator);
  expect([setting.status, setting.stderr]).toEqual([0, expect.stringContaining("signs setting default")]);
}, 120_000);

test("no device obeys a source that lies, and each one tells why", async () => {
  const { harness, lie } = await openLying();
  const peer = await harness.startPeer();
  const packageId = await harness.publish(await harness.makeFile("tool.bin", 200_000), {
    name: "tool",
    version: "1",
  });
  const keys = await exportKeys(harness);
  const operator = ["--operator-key", join(keys, "operator.key")];
  const sign = async (...words: string[]): Promise<void> => {
    const { status, stderr } = await harness.tryAdmin(...words, ...operator);
    expect([words, status, stderr]).toEqual([words, 0, expect.anything()]);
  };
  await sign("setting", "create", "kiosk", "lanRate=50mbit");
  const run = ["--action", "run", "--command", "echo run >> ../../../runs"];
  await sign("task", "create", packageId, ...run);
  await harness.waitUntilComplete(1, [peer]);
  await sign("setting", "set", "default", "lanRate=80mbit");
  await untilStatus(peer, "the new setting", ({ setting }) => (setting?.version === 3 ? true : null));

  // A task far in the future stays in the answers, for the source to lie about.
  await sign("task", "create", packageId, ...run, "--start", "+300d", "--expires", "+400d");
  await untilStatus(peer, "task 2", ({ tasks }) => (tasks.some(({ taskId }) => taskId === 2) ? true : null));
  const expected: readonly [lie: string, what: string, code: string][] = [
    ["another command", "task 2", "too-few-signatures"],
    ["an order of its own", "task 2", "too-few-signatures"],
    ["the order under another id", "task 102", "malformed"],
    ["a trust file of its own", "trust file", "too-few-signatures"],
    ["values of its own", "setting", "too-few-signatures"],
    ["a setting of its own", "own setting", "not-targeted"],
    ["a setting that is not assigned", "own setting", "not-targeted"],
    ["old settings", "setting", "older"],
  ];
  for (const [name, what, code] of expected) {
    await lie(name);
    await untilStatus(peer, name, ({ trust }) =>
      trust.refused.some((one) => one.what === what && one.code === code) ? true : null,
    );
    const { setting, trust } = await peer.status();
    expect([name, setting?.name, setting?.version, trust.version]).toEqual([name, "default", 3, 3]);
  }
  await lie("none");
  await untilStatus(peer, "the truth", ({ trust }) => (trust.refused.length === 0 ? true : null));
  // An older order of the same task, after the operator changed it.
  await sign("task", "edit", "2", "--expires", "+401d");
  await untilStatus(peer, "the changed order", ({ tasks }) =>
    tasks.some(({ taskId, state }) => taskId === 2 && state === "waiting") ? true : null,
  );
  await lie("old orders");
  await untilStatus(peer, "old orders", ({ trust }) =>
    trust.refused.some(({ what, code }) => what === "task 2" && code === "older") ? true : null,
  );
  expect(existsSync(join(peer.data, "..", "evil"))).toBe(false);
  expect(await readFile(join(peer.data, "runs"), "utf8")).toBe("run\n");
}, 180_000);

test("a source that keeps everything back is stale within the time that the operator stated", async () => {
  const { harness, lie } = await openLying();
  const peer = await harness.startPeer();
  const keys = await exportKeys(harness);
  const fresh = ["trust", "sign", "--fresh", "--valid", "3s", "--operator-key", join(keys, "operator.key")];
  expect((await harness.tryAdmin(...fresh)).status).toBe(0);
  await untilStatus(peer, "fresh for 3 s", ({ trust }) =>
    (trust.freshUntilMs ?? Infinity) < Date.now() + 5_000 ? true : null,
  );
  await lie("no fresh word");
  await untilStatus(peer, "stale", ({ trust }) => (trust.isStale ? true : null));
  const { stdout } = await harness.run("peer", "status", "--data", peer.data);
  expect(stdout).toContain("STALE: no fresh word of an operator since");
}, 90_000);

test("a device that was off follows new roots, a revoked operator and a rotated publisher", async () => {
  const harness = await open({ settings: quick });
  const peer = await harness.startPeer();
  const file = await harness.makeFile("tool.bin", 100_000);
  await harness.publish(file, { name: "tool", version: "1" });
  await untilStatus(peer, "the trust file", ({ trust }) => (trust.version > 0 ? true : null));
  await peer.stop();

  const keys = join(harness.folder, "keys");
  const admin = async (...words: string[]): Promise<string> => {
    const { status, stdout, stderr } = await harness.tryAdmin(...words);
    expect([words, status, stderr]).toEqual([words, 0, expect.anything()]);
    return stdout;
  };
  await admin("trust", "init", "--out", keys, "--roots", "3", "--threshold", "2");
  const more = join(harness.folder, "more");
  const made = await harness.run("source", "trust", "new-key", "--out", join(more, "operator-2.key"));
  expect(made.status).toBe(0);
  const [root1, root3] = [join(keys, "root-1.key"), join(keys, "root-3.key")];
  const draft = join(harness.folder, "draft.json");
  // Two roots on two machines: one begins, the other one finishes.
  const added = join(more, "operator-2.key");
  await admin("trust", "add-key", added, "--role", "operator", "--root-key", root1, "--draft", draft);
  await admin("trust", "sign", draft, "--root-key", root3);
  const shown = JSON.parse(await admin("trust", "show", "--json")) as {
    version: number;
    operators: { key: string }[];
    publishers: { key: string }[];
  };
  const roots = ["--root-key", root1, "--root-key", root3];
  await admin("trust", "revoke-key", shown.operators[0]!.key, ...roots);
  // The publisher's first key ends; the package is signed again by the new one.
  for (const { key } of shown.publishers.slice(0, -1)) await admin("trust", "revoke-key", key, ...roots);
  await admin("publish", file, "--name", "tool", "--version", "1", "--key", join(keys, "publisher.key"));
  const operator = ["--operator-key", join(more, "operator-2.key")];
  await signAll(harness, ...operator);
  await admin("task", "create", "tool@1", "--action", "pre-cache", ...operator);
  const refused = await harness.tryAdmin(
    "task",
    "create",
    "tool@1",
    "--action",
    "pre-cache",
    "--operator-key",
    join(keys, "operator.key"),
  );
  expect([refused.status, refused.stderr]).toEqual([
    1,
    expect.stringContaining("signatures of operator keys"),
  ]);

  peer.restart();
  await harness.waitUntilComplete(1, [peer]);
  expect((await peer.status()).trust).toMatchObject({ embedded: false, isStale: false, refused: [] });
  const later = await harness.startPeer();
  // The first task may have ended before this device enrolled.
  const id = Number(await admin("task", "create", "tool@1", "--action", "pre-cache", ...operator));
  const task = await harness.waitUntilComplete(id, [peer, later]);
  expect(reasonsText(task.deviceList[0]!.reasons)).toContain("complete");
}, 180_000);
