/** A LAN with other senders, and a source with a self-signed certificate. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { enrollTokenOf } from "../scripts/rig/deployment.ts";
import { launch } from "../scripts/rig/process.ts";
import { createCleanups } from "./cleanups.ts";
import { bytesFrom, partOf, type Harness, type Peer } from "./harness.ts";

const sizeBytes = 6_000_000;
const { addCleanup, open } = createCleanups();

async function openFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "flockcast-intruders-"));
  addCleanup(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function expectRight(harness: Harness, peers: readonly Peer[], original: string): Promise<void> {
  for (const peer of peers) {
    expect(await harness.copyError(peer, original, "tool", "1")).toBeNull();
    expect(peer.ledger().map(({ state, receiptsMax }) => [state, receiptsMax])).toEqual([["complete", 1]]);
  }
}

test("drops and counts junk, replays and forged frames on the group", async () => {
  // The share that a deputy takes by unicast depends on the machine's load.
  const harness = await open({ settings: ["wanRate=16mbit", "useDeputy=false"] });
  const peers = await harness.startPeers(3);
  const original = await harness.makeFile("tool.bin", sizeBytes);
  const packageId = await harness.publish(original, { name: "tool", version: "1" });
  const intruder = launch({
    name: "intruder",
    command: [
      process.execPath,
      join(import.meta.dir, "..", "scripts", "lab", "intruder.ts"),
      harness.group,
      "127.0.0.1",
    ],
    logFile: join(harness.folder, "intruder.log"),
  });
  addCleanup(() => intruder.stop());
  const task = await harness.waitUntilComplete(await harness.createTask(packageId), peers);
  expect(intruder.exitStatus()).toBeNull();
  await expectRight(harness, peers, original);
  expect(bytesFrom(task, "wan")).toBe(sizeBytes);
  expect(task.deviceList.filter(({ from }) => from.multicast > 0.8 * sizeBytes)).toHaveLength(2);
  // A representative counts replays of its own frames as "own", not as "replay".
  const followers = peers.filter((peer) => partOf(task, peer).from.wan === 0);
  expect(followers).toHaveLength(2);
  for (const peer of peers) {
    const { dropped } = (await peer.status()).lan;
    if (followers.includes(peer)) expect(dropped["replay"] ?? 0).toBeGreaterThan(20);
    expect(dropped["seal"] ?? 0).toBeGreaterThan(20);
    const shown = await harness.run("peer", "status", "--data", peer.data);
    expect(shown.stdout).toMatch(/dropped frames: .*\d+ seal/);
  }
  await expectReplaysOfEarlierTaskDropped(harness, peers, followers);
}, 90_000);

/**
 * Distributes another task to the same devices, while the intruder replays frames of the first
 * task. Most of these are the first representative's.
 */
async function expectReplaysOfEarlierTaskDropped(
  harness: Harness,
  peers: readonly Peer[],
  followersBefore: readonly Peer[],
): Promise<void> {
  const next = await harness.makeFile("next.bin", 2_000_000);
  const taskId = await harness.createTask(await harness.publish(next, { name: "next", version: "1" }));
  const task = await harness.waitUntilComplete(taskId, peers);
  expect(bytesFrom(task, "wan")).toBe(2_000_000);
  for (const peer of peers) expect(await harness.copyError(peer, next, "next", "1")).toBeNull();
  for (const peer of followersBefore) {
    expect((await peer.status()).lan.dropped["session"] ?? 0).toBeGreaterThan(20);
  }
  expect(task.deviceList.flatMap(({ wrongFrom }) => wrongFrom)).toEqual([]);
}

test("distributes in two deployments on one group, which ignore each other", async () => {
  const [one, two] = await Promise.all([
    open({ settings: ["wanRate=16mbit"] }),
    open({ settings: ["wanRate=16mbit"] }),
  ]);
  const prepare = async (harness: Harness) => {
    const peers = await harness.startPeers(2, { group: one.group });
    const original = await harness.makeFile("tool.bin", sizeBytes);
    return {
      harness,
      peers,
      original,
      packageId: await harness.publish(original, { name: "tool", version: "1" }),
    };
  };
  const both = await Promise.all([prepare(one), prepare(two)]);
  await Promise.all(
    both.map(async ({ harness, peers, original, packageId }) => {
      const task = await harness.waitUntilComplete(await harness.createTask(packageId), peers);
      expect(bytesFrom(task, "wan")).toBe(sizeBytes);
      await expectRight(harness, peers, original);
      expect(task.deviceList).toHaveLength(2);
    }),
  );
  for (const { peers } of both) {
    for (const peer of peers) expect((await peer.status()).lan.dropped["deployment"]!).toBeGreaterThan(1_000);
  }
}, 90_000);

test("trusts a self-signed source by the identity in the token only", async () => {
  const folder = await openFolder();
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const made = Bun.spawnSync(
    ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"].concat(
      ["-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=source.example"],
    ),
    { stderr: "pipe" },
  );
  expect([made.exitCode, made.exitCode === 0 ? "" : made.stderr.toString()]).toEqual([0, ""]);
  const harness = await open({ sourceArgs: ["--tls-cert", cert, "--tls-key", key] });
  expect(harness.source.url).toStartWith("https://");
  const peers = await harness.startPeers(2);
  const original = await harness.makeFile("tool.bin", sizeBytes);
  const packageId = await harness.publish(original, { name: "tool", version: "1" });
  const task = await harness.waitUntilComplete(await harness.createTask(packageId), peers);
  await expectRight(harness, peers, original);
  expect(bytesFrom(task, "wan")).toBe(sizeBytes);

  const token = await enrollTokenOf(harness.source);
  const [secret, identity = "", root] = token.split(".");
  const wrong = [secret, identity.slice(0, -1) + (identity.endsWith("0") ? "1" : "0"), root].join(".");
  const data = join(harness.folder, "refused");
  const call = ["run", "--source", harness.source.url, "--enroll", wrong, "--data", data];
  const output = await harness.run("peer", ...call, "--interface", "127.0.0.1");
  const messages = output.stderr.split("\n").filter((line) => line !== "" && !line.startsWith("{"));
  expect([output.status, messages]).toEqual([1, [expect.stringContaining("Another source answers")]]);
  expect(await harness.client.devices()).toHaveLength(2);
}, 90_000);
