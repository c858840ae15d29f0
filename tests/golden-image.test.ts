/**
 * A golden image: a minimal Debian with the agent of the .deb and a filled cache, which
 * `prepare --for-image` has prepared. Two copies of it start with systemd on one LAN, behind a
 * router. The installed agent is run, not the built one.
 */
import { Database } from "bun:sqlite";
import { randomBytes } from "node:crypto";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "bun:test";
import * as v from "valibot";
import { build } from "../scripts/build/build.ts";
import { nativeTargetName, parseTargets } from "../scripts/build/targets.ts";
import { debPrograms, makeDeb } from "../scripts/package/deb.ts";
import { imagePrograms, makeDebianImage } from "../scripts/rig/debian-image.ts";
import { enrollTokenOf } from "../scripts/rig/deployment.ts";
import { deviceIdOf } from "../scripts/rig/ledger-reader.ts";
import { logTail, outputOf } from "../scripts/rig/process.ts";
import { openSystem, systemPrograms, type System } from "../scripts/rig/system.ts";
import { differenceFrom, digestTree } from "../scripts/rig/verify.ts";
import { wanReportSchema } from "../shared/api/schema/admin.ts";
import { ledgerPath } from "../shared/cache/index.ts";
import { createCleanups } from "./cleanups.ts";
import { until } from "./harness.ts";
import { openLan } from "./lan.ts";
import { programTest } from "./network-test.ts";

const goldenTest = await programTest({
  ...systemPrograms,
  ...debPrograms,
  ...imagePrograms,
  ip: "iproute2",
  nft: "nftables",
});

let folder = "";
let image = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flockcast-golden-"));
  image = join(folder, "image");
}, 120_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

const packageName = "app";
const packageBytes = 16_000_000;
const dataFolder = "/var/lib/flockcast";
const service = "flockcast-peer.service";

type Lan = Awaited<ReturnType<typeof openLan>>;

/** Installs the agent into the image, with its settings, as an administrator would. */
async function installAgent({ source }: Lan): Promise<void> {
  const [executable] = await build(parseTargets([]), ["peer"], join(folder, "peer"));
  const deb = await makeDeb({
    name: "flockcast-peer",
    version: "0.1.0",
    architecture: nativeTargetName().includes("arm64") ? "arm64" : "x64",
    executable: executable!,
    out: join(folder, "out"),
    epochSeconds: 1_700_000_000,
    isFast: true,
  });
  const settings = join(image, "etc/flockcast");
  await mkdir(settings, { recursive: true });
  const lines = [
    `FLOCKCAST_SOURCE=${source.url}`,
    "FLOCKCAST_ENROLL_FILE=/etc/flockcast/enroll.token",
    `FLOCKCAST_OPTIONS="--interface eth0"`,
  ];
  await writeFile(join(settings, "peer.env"), `${lines.join("\n")}\n`);
  await writeFile(join(settings, "enroll.token"), await enrollTokenOf(source), { mode: 0o600 });
  await copyFile(deb, join(image, "root", basename(deb)));
  await outputOf(["chroot", image, "dpkg", "-i", join("/root", basename(deb))]);
  await rm(join(image, "root", basename(deb)));
}

const journalOf = async (system: System): Promise<string> =>
  (await system.run("journalctl", "-n", "40", "--no-pager")).stdout;

/** Waits until as many other devices as systems have enrolled and are connected. */
const enrolledOn = (lan: Lan, systems: readonly System[], known: readonly string[]): Promise<string[]> =>
  until(
    async () => `no agent enrols:\n${(await Promise.all(systems.map(journalOf))).join("\n")}`,
    90_000,
    async () => {
      const listed = (await lan.devices()).filter(({ id }) => !known.includes(id));
      return listed.length === systems.length ? listed.map(({ id }) => id).toSorted() : null;
    },
  );

/** Creates a pre-cache task, and waits until these devices have the package. */
async function preCache(lan: Lan, packageId: string, ids: readonly string[]): Promise<void> {
  const words = ["task", "create", packageId, "--action", "pre-cache"] as const;
  const taskId = Number(await lan.source.admin(...words));
  await until(
    async () => `the task does not end: ${JSON.stringify(await lan.task(taskId))}`,
    90_000,
    async () => {
      const { deviceList } = await lan.task(taskId);
      const complete = deviceList.filter(({ state }) => state === "complete");
      return ids.every((id) => complete.some(({ deviceId }) => deviceId === id)) || null;
    },
  );
}

/** Bytes of the package that the source has sent, when it has written its account. */
async function sentBytes(lan: Lan): Promise<number> {
  await Bun.sleep(2_500);
  const report = await lan.source.admin("report", "wan", "--by", "package", "--json");
  const { rows } = v.parse(wanReportSchema, JSON.parse(report));
  return rows.find(({ name }) => name === `${packageName} 1`)?.crossedBytes ?? 0;
}

/** Bytes that the router has received from the WAN, of whatever kind. */
async function receivedBytes(lan: Lan): Promise<number> {
  const words = ["ip", "-n", lan.names("router1"), "-s", "-j", "link", "show", "dev", "wan"];
  const links = v.parse(
    v.array(v.object({ stats64: v.object({ rx: v.object({ bytes: v.number() }) }) })),
    JSON.parse(await outputOf(words)),
  );
  return links[0]!.stats64.rx.bytes;
}

const preparedSchema = v.object({
  removed: v.object({ device: v.nullable(v.string()), tasks: v.number(), entries: v.array(v.string()) }),
  kept: v.object({
    packages: v.array(
      v.object({ name: v.string(), state: v.string(), bytesVerified: v.number(), badChunks: v.number() }),
    ),
    others: v.array(v.string()),
  }),
});

const prepare = async (system: System) =>
  v.parse(
    preparedSchema,
    JSON.parse(await system.outputOf("flockcast-peer", "prepare", "--for-image", "--json")),
  );

/** Fills the cache of the image, and prepares it. @returns id of the image's device */
async function fillAndPrepare(lan: Lan, packageId: string): Promise<string> {
  await lan.add("golden", { host: 10, gateway: 1 });
  const network = lan.names("golden");
  await using golden = await openSystem({ image, writesImage: true, network, units: [service] });
  const [id] = await enrolledOn(lan, [golden], []);
  await preCache(lan, packageId, [id!]);
  const refused = await golden.run("flockcast-peer", "prepare", "--for-image");
  expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining("stop its service first")]);
  await golden.outputOf("flockcast-peer", "service", "stop");
  const prepared = await prepare(golden);
  expect(prepared.removed).toMatchObject({ device: id, tasks: 1 });
  const held = { name: packageName, state: "complete", bytesVerified: packageBytes, badChunks: 0 };
  expect(prepared.kept).toEqual({ packages: [held], others: [] });
  const again = await prepare(golden);
  expect(again.removed).toEqual({ device: null, tasks: 0, entries: [] });
  expect(again.kept).toEqual(prepared.kept);
  return id!;
}

async function startCopy(lan: Lan, called: string, host: number): Promise<System> {
  await lan.add(called, { host, gateway: 1 });
  return openSystem({ image, network: lan.names(called), units: [service] });
}

goldenTest(
  "two copies of a prepared image are two devices, and have the package without a byte of it over the WAN",
  async () => {
    await makeDebianImage(image);
    await using lan = await openLan({ routers: 1 });
    await installAgent(lan);
    const file = join(folder, packageName);
    await writeFile(file, randomBytes(packageBytes));
    const packageId = await lan.source.admin("publish", file, "--name", packageName, "--version", "1");
    const first = await fillAndPrepare(lan, packageId);
    const sent = await sentBytes(lan);
    expect(sent).toBeGreaterThanOrEqual(packageBytes);
    const received = await receivedBytes(lan);

    await using one = await startCopy(lan, "one", 11);
    await using two = await startCopy(lan, "two", 12);
    const ids = await enrolledOn(lan, [one, two], [first]);
    expect(new Set([first, ...ids]).size).toBe(3);
    await preCache(lan, packageId, ids);
    const copies = await Promise.all(
      [one, two].map(async (system) => ({
        machineId: await readFile(system.pathOf("/etc/machine-id"), "utf8"),
        error: await differenceFrom(
          await digestTree(file),
          system.pathOf(join(dataFolder, "cache", packageName, "1")),
        ),
      })),
    );
    // The worst case: nobody emptied the machine id of the image.
    expect(copies[0]).toEqual({ machineId: copies[1]!.machineId, error: null });
    expect(copies[1]!.error).toBeNull();
    expect(await sentBytes(lan)).toBe(sent);
    expect((await receivedBytes(lan)) - received).toBeLessThan(packageBytes / 4);
  },
  300_000,
);

const { open } = createCleanups();

test("a preparation that ends at its first step is finished by the next start, which enrols as another device", async () => {
  const harness = await open();
  const peer = await harness.startPeer();
  const packageId = await harness.publish(await harness.makeFile("tool.bin", 400_000), {
    name: "tool",
    version: "1",
  });
  await harness.waitUntilComplete(await harness.createTask(packageId), [peer]);
  await peer.stop();
  const prepareImage = () => harness.run("peer", "prepare", "--for-image", "--data", peer.data);
  // Another writer of the ledger ends the preparation before it removes anything.
  const writer = new Database(ledgerPath(peer.data));
  writer.run("BEGIN IMMEDIATE");
  const cutOff = await prepareImage();
  writer.close();
  expect([cutOff.status, deviceIdOf(peer.data)]).toEqual([1, peer.id]);

  peer.restart();
  const id = await until(
    () => logTail(peer.program),
    60_000,
    () => {
      const found = deviceIdOf(peer.data);
      return found === peer.id ? null : found;
    },
  );
  expect(await logTail(peer.program, 60)).toContain("preparation for an image was interrupted");
  expect(peer.ledger()).toMatchObject([{ name: "tool", state: "complete" }]);
  await peer.stop();
  const done = await prepareImage();
  expect([done.status, done.stdout]).toEqual([
    0,
    expect.stringMatching(/removed: identity of device [^]*kept: tool 1, complete, .*verified[^]*is ready/),
  ]);
  expect(done.stdout).toContain(`device ${id} at ${harness.source.url}`);
}, 120_000);
