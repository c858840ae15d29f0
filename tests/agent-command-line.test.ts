/**
 * Command line of the agent: its output, and its messages for wrong calls and damaged data folders.
 */
import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "bun:test";
import * as v from "valibot";
import { reasonsText } from "../shared/model/reason.ts";
import { agentStatusSchema } from "../shared/agent/status/status-server.ts";
import { enrollTokenOf } from "../scripts/rig/deployment.ts";
import { cleanEnvironment, type Output } from "../scripts/rig/process.ts";
import { programsFromSource } from "../scripts/rig/programs.ts";
import { openHarness, partOf, until, type Harness, type Peer } from "./harness.ts";

let harness: Harness;
let peer: Peer;
let original = "";
let enrollToken = "";

beforeAll(async () => {
  harness = await openHarness();
  peer = await harness.startPeer({ name: "main" });
  enrollToken = await enrollTokenOf(harness.source);
  original = await harness.makeFile("tool.bin", 2_000_003);
  const packageId = await harness.publish(original, { name: "tool", version: "1" });
  await harness.waitUntilComplete(await harness.createTask(packageId), [peer]);
}, 60_000);
afterAll(() => harness[Symbol.asyncDispose]());

/**
 * Returns the message for a person: the single line of standard error that is not a JSON log line.
 */
function messageOf({ stderr }: Output): string {
  const lines = stderr
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("{") && !line.startsWith("try: "));
  expect(lines).toHaveLength(1);
  expect(lines[0]).not.toMatch(/^\s+at |\.ts:\d+/);
  return lines[0]!;
}

async function expectError(status: number, text: string | RegExp, ...args: string[]): Promise<void> {
  const output = await harness.run("peer", ...args);
  expect([output.stdout, messageOf(output), output.status]).toEqual([
    "",
    expect.stringMatching(text),
    status,
  ]);
}

let folders = 0;
/** Returns the arguments of a valid `run`, with the changes of the test. */
function runWith(changes: Record<string, string>): string[] {
  const options: Record<string, string> = {
    source: harness.source.url,
    enroll: enrollToken,
    data: join(harness.folder, `unused-${++folders}`),
    interface: "127.0.0.1",
    group: harness.group,
    ...changes,
  };
  return ["run", ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])];
}

test("exits with status 2 and states what is valid when it is called wrongly", async () => {
  await expectError(2, "unknown option '--nonsense'", ...runWith({ nonsense: "1" }));
  await expectError(2, "required option '--source", "run");
  await expectError(2, "required option '--data", "status");
  await expectError(2, "unknown command 'frobnicate'", "frobnicate");
  await expectError(2, '"not a url" is not the URL of a source', ...runWith({ source: "not a url" }));
  await expectError(
    2,
    /"ftp:\/\/files.example" is not the URL of a source/,
    ...runWith({ source: "ftp://files.example" }),
  );
  await expectError(2, /group|multicast/, ...runWith({ group: "10.0.0.1:7067" }));
  await expectError(2, /group|port/, ...runWith({ group: "239.1.2.3" }));
  await expectError(2, /multicast group/, ...runWith({ group: "239.1.2.3:99999" }));
  await expectError(
    1,
    /No interface of this device is "eth77" .*lo0? \(127\.0\.0\.1\)/,
    ...runWith({ interface: "eth77" }),
  );
  await expectError(2, /"65536" is not a TCP port/, ...runWith({ "lan-port": "65536" }));
  await expectError(2, /"1KiB" is not a receive buffer size/, ...runWith({ "receive-buffer": "1KiB" }));
  await expectError(2, /group name/, ...runWith({ "device-group": "a/b" }));
}, 30_000);

test("refuses a source without TLS on another machine, also of an enrolled device", async () => {
  await expectError(
    2,
    /http:\/\/192\.0\.2\.7 has no TLS.*--allow-plain-http/,
    ...runWith({ source: "http://192.0.2.7" }),
  );
  const enrolled = ["--source", "http://source.example:7443", "--data", await stoppedFolder()];
  await expectError(2, /source\.example:7443 has no TLS/, "run", ...enrolled);
}, 30_000);

test("exits with what to do when the token is invalid or of another source", async () => {
  await expectError(1, /enroll\.token/, ...runWith({ enroll: "nonsense" }));
  const other = `fc_e${"A".repeat(43)}.${"0".repeat(64)}`;
  await expectError(1, /Cannot enrol at http.*Another source answers/, ...runWith({ enroll: other }));
  const bare = runWith({});
  bare.splice(bare.indexOf("--enroll"), 2);
  await expectError(1, /not enrolled yet: give --enroll-file FILE/, ...bare);
  const stranger = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("hello") });
  const elsewhere = ["--source", stranger.url.origin, "--data", await stoppedFolder()];
  await expectError(1, /belongs to a device of/, "run", ...elsewhere);
  const ofOther = ["--source", harness.source.url, "--data", await stoppedFolder(), "--enroll", other];
  await expectError(1, /token is for another source/, "run", ...ofOther);
  await stranger.stop(true);
}, 30_000);

test("takes the token from the standard input, and refuses a file that other users can read", async () => {
  const [run, ...words] = runWith({ "enroll-file": "-" }).filter(
    (word) => word !== "--enroll" && word !== enrollToken,
  );
  const other = `fc_e${"A".repeat(43)}.${"0".repeat(64)}`;
  const child = Bun.spawn([...programsFromSource.commandOf("peer"), run!, ...words], {
    stdin: new Blob([other]),
    stdout: "ignore",
    stderr: "pipe",
    env: cleanEnvironment(),
  });
  expect(await new Response(child.stderr).text()).toContain("Another source answers");
  expect(await child.exited).toBe(1);

  const file = join(harness.folder, "wide.token");
  await writeFile(file, enrollToken, { mode: 0o644 });
  words[words.indexOf("-")] = file;
  await expectError(1, `not enrolled yet: the file of the enrolment token cannot be used`, run!, ...words);
  await expectError(1, `chmod 600 "${file}"`, run!, ...words);
  await expectError(2, "two ways to give one token", run!, ...words, "--enroll", enrollToken);
}, 30_000);

test("needs the file of the token once, and does not show the token to other users", async () => {
  const enrolled = await harness.startPeer({ name: "once" });
  const shown = await readFile(`/proc/${enrolled.program.pid}/cmdline`, "utf8").catch(() => "");
  expect(shown).not.toContain(enrollToken);
  await enrolled.kill();
  await rm(`${enrolled.data}.enroll`);
  const again = await harness.startPeer({
    data: enrolled.data,
    enrollToken: null,
    args: ["--enroll-file", `${enrolled.data}.enroll`],
  });
  expect(again.id).toBe(enrolled.id);
}, 60_000);

let stopped: Promise<string> | null = null;
/** Returns the data folder of a device that completed the task and was stopped. */
function stoppedFolder(): Promise<string> {
  stopped ??= (async () => {
    const device = await harness.startPeer({ name: "stopped" });
    await harness.createTask("tool", { target: `device:${device.id}` });
    await until(
      () => "the cache of the stopped device",
      30_000,
      () => (device.ledger().some(({ state }) => state === "complete") ? true : null),
    );
    expect(await device.stop()).toBe(0);
    return device.data;
  })();
  return stopped;
}

test("names an unknown interface and an invalid data folder", async () => {
  await expectError(1, /192\.0\.2\.77.*127\.0\.0\.1/, ...runWith({ interface: "192.0.2.77" }));
  await expectError(1, /nonsense/, ...runWith({ interface: "nonsense" }));
  await expectError(1, /data folder ".*tool\.bin"/, ...runWith({ data: original }));
  await expectError(1, /data folder ".*tool\.bin\/below"/, ...runWith({ data: join(original, "below") }));
}, 30_000);

test("refuses a second agent on the same data folder, while the first continues", async () => {
  await expectError(
    1,
    new RegExp(`in use by the process with pid ${peer.program.pid}`),
    ...runWith({ data: peer.data }),
  );
  await expectError(1, /in use by/, "cache", "verify", "--data", peer.data);
  await expectError(1, /in use by/, "cache", "remove", "tool", "1", "--data", peer.data);
  expect((await peer.status()).connected).toBe(true);
}, 30_000);

test("prints status and cache list of a running agent, for people and as JSON", async () => {
  // The peer's session ends a moment after its copy is complete.
  for (let waited = 0; waited < 200 && (await peer.status()).tasks[0]?.role !== "none"; waited++)
    await Bun.sleep(100);
  const text = await harness.run("peer", "status", "--data", peer.data);
  expect([text.status, text.stderr]).toEqual([0, ""]);
  expect(text.stdout).toContain(`device ${peer.id}`);
  expect(text.stdout).toMatch(/task 1 \(tool 1\): complete, .*100 % of 2/);
  const json = await harness.run("peer", "status", "--json", "--data", peer.data);
  const status = v.parse(
    v.object({ running: v.literal(true), ...agentStatusSchema.entries }),
    JSON.parse(json.stdout),
  );
  expect(status.tasks.map(({ state, reasons }) => [state, reasonsText(reasons)])).toEqual([
    ["complete", "complete: 100 % over the WAN (representative)"],
  ]);
  const list = await harness.run("peer", "cache", "list", "--data", peer.data);
  expect(list.stdout).toMatch(/tool +1 +complete +2 MB of 2 MB +wan 2 MB/);
  const listed: unknown = JSON.parse(
    (await harness.run("peer", "cache", "list", "--json", "--data", peer.data)).stdout,
  );
  expect(listed).toEqual([
    expect.objectContaining({ name: "tool", version: "1", state: "complete", bytesVerified: 2_000_003 }),
  ]);
}, 30_000);

test("prints status and runs the cache commands on the folder of a stopped agent", async () => {
  const data = await stoppedFolder();
  const status = await harness.run("peer", "status", "--data", data);
  expect(status.stdout).toMatch(
    /no agent is running on .*\ndevice [0-9a-f]{16} of http.*\nsetting default version \d+\ntask 2 \(tool 1\): complete\n/,
  );
  const json: unknown = JSON.parse((await harness.run("peer", "status", "--json", "--data", data)).stdout);
  expect(json).toEqual(expect.objectContaining({ running: false, source: harness.source.url }));
  const verified = await harness.run("peer", "cache", "verify", "--data", data);
  expect([verified.status, verified.stdout, verified.stderr]).toEqual([0, "tool 1: verified\n", ""]);

  const file = join(data, "cache", "tool", "1", "tool.bin");
  const bytes = await readFile(file);
  bytes[1_000_000]! ^= 1;
  await rm(file);
  await writeFile(file, bytes);
  const wrong = await harness.run("peer", "cache", "verify", "--data", data);
  expect([wrong.status, wrong.stdout]).toEqual([1, expect.stringMatching(/^tool 1: 1 chunks? .* wrong/)]);
  // The damaged copy was removed, so that no program uses it.
  expect(await stat(file).catch(() => null)).toBeNull();

  const removed = await harness.run("peer", "cache", "remove", "tool", "1", "--data", data);
  expect([removed.status, removed.stdout]).toEqual([0, "tool 1: removed\n"]);
  await expectError(1, /no tool 1 in the cache/, "cache", "remove", "tool", "1", "--data", data);
  const list = await harness.run("peer", "cache", "list", "--data", data);
  expect(list.stdout).toBe("The cache is empty.\n");
}, 60_000);

test("refuses commands on a folder without an agent's data, and creates nothing", async () => {
  const nothing = join(harness.folder, "nothing");
  await expectError(1, /no data folder ".*nothing"/i, "status", "--data", nothing);
  await expectError(1, /nothing/, "cache", "list", "--data", nothing);
  await expectError(1, /no data folder ".*nothing"/i, "cache", "verify", "--data", nothing);
  expect(await stat(nothing).catch(() => null)).toBeNull();
  const empty = join(harness.folder, "empty");
  await mkdir(empty);
  await expectError(1, /empty/, "status", "--data", empty);
  await expectError(1, /empty/, "cache", "list", "--data", empty);
  await expectError(1, /empty/, "cache", "verify", "--data", empty);
}, 30_000);

test("rebuilds a damaged ledger from the files, and fetches no verified chunk again", async () => {
  await using own = await openHarness({ settings: ["wanRate=16mbit"] });
  const device = await own.startPeer({ name: "damaged" });
  const first = await own.publish(original, { name: "tool", version: "1" });
  await own.waitUntilComplete(await own.createTask(first), [device]);
  const file = await own.makeFile("big.bin", 5_000_000);
  const taskId = await own.createTask(await own.publish(file, { name: "big", version: "1" }));
  await own.waitForTask(taskId, (task) => partOf(task, device).bytesVerified > 2_000_000);
  await device.stop();
  const garbage = Buffer.alloc(65_536, "garbage ");
  await writeFile(join(device.data, "ledger.db"), garbage);
  device.restart();
  // The credential was in the ledger, so the agent enrols with its token, and keeps its id.
  const done = await own.waitUntilComplete(taskId, [device]);
  const log = await readFile(device.program.logFile, "utf8");
  expect(log).toMatch(/"event":"ledger-damaged".*was moved to/);
  expect(await readFile(join(device.data, "ledger.db.damaged-1"))).toEqual(garbage);
  const from = Object.fromEntries(device.ledger().map((held) => [held.name, held.originBytes]));
  expect(from["tool"]).toEqual({ wan: 0, multicast: 0, peers: 0, cache: 2_000_003 });
  expect(from["big"]!.cache).toBeGreaterThan(2_000_000);
  expect(from["big"]!.wan).toBe(5_000_000 - from["big"]!.cache);
  expect(partOf(done, device).wanBytesFetched).toBeLessThan(3_500_000);
  expect(await own.copyError(device, original, "tool", "1")).toBeNull();
  expect(await own.copyError(device, file, "big", "1")).toBeNull();
}, 60_000);

const mountTmpfs = (folder: string): boolean =>
  process.getuid?.() === 0 &&
  Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=16m", "flockcast-test", folder], { stderr: "ignore" })
    .exitCode === 0;

test.skipIf(!canMount())(
  "fails the task with what to do when the disk is full (needs root and mount), and completes it when there is room",
  async () => {
    const data = join(harness.folder, "small");
    await mkdir(data);
    expect(mountTmpfs(data)).toBe(true);
    try {
      const device = await harness.startPeer({ name: "small", data });
      await harness.setSetting("slow", "wanRate=16mbit", "representativeWeight=50");
      const file = await harness.makeFile("big.bin", 8_000_000);
      const target = `device:${device.id}`;

      // The disk is too full from the beginning.
      const filler = join(data, "filler");
      await writeFile(filler, Buffer.alloc(10 * 1_048_576));
      const packageId = await harness.publish(file, { name: "big", version: "1" });
      const taskId = await harness.createTask(packageId, { target, setting: "slow" });
      const early = await harness.waitForTask(
        taskId,
        (task) => partOf(task, device).state === "failed",
        20_000,
      );
      expect(reasonsText(partOf(early, device).reasons)).toMatch(
        /big 1 needs .* more on this disk.*free space/,
      );
      expect((await device.status()).tasks.at(-1)?.state).toBe("failed");

      // The disk has room at first, and is full in the middle.
      await rm(filler);
      await harness.waitForTask(taskId, (task) => partOf(task, device).bytesVerified > 2_000_000, 40_000);
      await writeFile(filler, Buffer.alloc(16 * 1_048_576)).catch(() => {});
      const late = await harness.waitForTask(
        taskId,
        (task) => partOf(task, device).state === "failed",
        30_000,
      );
      expect(reasonsText(partOf(late, device).reasons)).toMatch(/disk is full; free space/);
      expect(device.program.exitStatus()).toBeNull();
      await rm(filler);
      await harness.waitForTask(taskId, (task) => partOf(task, device).state === "complete", 60_000);
      expect(await harness.copyError(device, file, "big", "1")).toBeNull();
      expect(device.ledger().map(({ receiptsMax }) => receiptsMax)).toEqual(device.ledger().map(() => 1));
      await device.stop();
    } finally {
      Bun.spawnSync(["umount", "-l", data]);
    }
  },
  180_000,
);

/** Returns whether a mount works. Root in a container may lack the permission. */
function canMount(): boolean {
  const folder = `/tmp/flockcast-mount-${process.pid}`;
  Bun.spawnSync(["mkdir", "-p", folder]);
  const mounted = mountTmpfs(folder);
  if (mounted) Bun.spawnSync(["umount", folder]);
  Bun.spawnSync(["rmdir", folder]);
  return mounted;
}
