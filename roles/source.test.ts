import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { problemReason } from "../shared/model/reason.ts";
import { createAgentClient, enrollDevice, SourceTransport } from "../shared/api/agent-client.ts";
import type { TaskDevice } from "../shared/api/schema/admin.ts";
import type { Progress } from "../shared/api/schema/common.ts";
import { inventoryOf } from "../shared/source/app-fixture.ts";
import { version } from "../shared/version.ts";

const program = join(import.meta.dir, "source.ts");
let folder: string;
let serving: Bun.Subprocess<"ignore", "pipe", "pipe">;
let environment: Record<string, string | undefined>;

type Ended = { status: number | null; out: string; error: string };
function spawn(words: readonly string[], more: Record<string, string | undefined> = {}) {
  return Bun.spawn([process.execPath, program, ...words], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env: { ...environment, ...more },
  });
}
async function ended(child: ReturnType<typeof spawn>): Promise<Ended> {
  const [out, error] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { status: await child.exited, out: out.trim(), error: error.trim() };
}
const run = (...words: string[]): Promise<Ended> => ended(spawn(words));

async function urlIn(dataDir: string): Promise<string> {
  for (let tries = 0; tries < 500; tries++) {
    const text = await readFile(join(dataDir, "source.url"), "utf8").catch(() => "");
    if (text.endsWith("\n")) return text.trim();
    await Bun.sleep(20);
  }
  throw new Error("the source did not start within 10 s");
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flockcast-source-cli-"));
  const { FLOCKCAST_LOG: _level, ...own } = process.env;
  environment = own;
  const dataDir = join(folder, "data");
  serving = spawn(["serve", "--data", dataDir, "--listen", "127.0.0.1:0"]);
  environment["FLOCKCAST_SOURCE"] = await urlIn(dataDir);
  environment["FLOCKCAST_TOKEN"] = await readFile(join(dataDir, "admin.token"), "utf8");
  environment["FLOCKCAST_PUBLISHER_KEY"] = join(folder, "keys", "publisher.key");
});
afterAll(async () => {
  serving.kill("SIGTERM");
  const { status, out, error } = await ended(serving);
  await rm(folder, { recursive: true });
  expect([status, out]).toEqual([0, ""]);
  type Line = { msg: string; url?: string; actor?: string; group?: string };
  const lines = error.split("\n").map((line) => JSON.parse(line) as Line);
  expect(lines.find(({ group }) => group === "audited")).toMatchObject({ actor: "admin.token" });
  expect(lines.slice(0, 2)).toEqual([
    expect.objectContaining({ msg: "issued a TLS certificate" }),
    expect.objectContaining({ msg: "listening", url: environment["FLOCKCAST_SOURCE"]! }),
  ]);
  expect(lines.at(-1)).toMatchObject({ msg: "stopped" });
});

describe("publish", () => {
  test("prints the id alone, prints it again for the same content, and refuses other content", async () => {
    const path = join(folder, "tool.bin");
    await writeFile(path, "the first content");
    const words = ["publish", path, "--name", "tool", "--version", "1"];
    const first = await run(...words);
    expect(first).toEqual({ status: 0, out: expect.stringMatching(/^[0-9a-f]{64}$/), error: "" });
    expect(await run(...words)).toEqual(first);
    await writeFile(path, "other content");
    const other = await run(...words);
    expect(other).toEqual({
      status: 1,
      out: "",
      error: expect.stringContaining("choose another version"),
    });
    expect(other.error.split("\n")).toHaveLength(1);
    const foreign = await run(...words.slice(0, -1), "2", "--key", join(folder, "other.key"));
    expect(foreign).toMatchObject({ status: 1, out: "", error: expect.stringContaining("--key") });
  });

  test("publishes a folder, and a URL without a copy at the source", async () => {
    const files = join(folder, "files");
    await mkdir(join(files, "sub"), { recursive: true });
    await writeFile(join(files, "setup.sh"), "echo done");
    await writeFile(join(files, "sub", "data.bin"), new Uint8Array(1_500_000));
    const asFolder = await run("publish", files, "--name", "folder", "--version", "1");
    expect(asFolder).toMatchObject({ status: 0, error: "" });
    const site = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => new Response("from the web site"),
    });
    const url = `${site.url.origin}/setup.exe`;
    const asUrl = await run("publish", url, "--name", "web", "--version", "1");
    const local = await run(
      "publish",
      files,
      "--name",
      "mirrored",
      "--version",
      "1",
      "--url",
      `${url}/files/`,
      "--url",
      "https://b.example/",
    );
    await site.stop(true);
    expect(asUrl).toMatchObject({
      status: 0,
      error: `file "setup.exe", 17 B, text/plain, from ${url}`,
    });
    expect(local).toMatchObject({ status: 0, error: "" });
    const list = await run("package", "list", "--json");
    const packages = JSON.parse(list.out) as {
      id: string;
      urls: { url: string; layout: string }[];
      state: string;
      fileCount: number;
    }[];
    const byId = new Map(packages.map((one) => [one.id, one]));
    expect(byId.get(asFolder.out)).toMatchObject({ urls: [], state: "ready", fileCount: 2 });
    expect(byId.get(asUrl.out)).toMatchObject({
      urls: [{ url, layout: "file" }],
      state: "ready",
      fileCount: 1,
    });
    expect(byId.get(local.out)).toMatchObject({
      urls: [`${url}/files/`, "https://b.example/"].map((each) => ({ url: each, layout: "folder" })),
      state: "ready",
      fileCount: 2,
    });
    const removed = await run("package", "url", "remove", "mirrored", "https://b.example/");
    expect(removed).toMatchObject({ status: 0, out: expect.stringContaining(`folder  ${url}/files/`) });
    const added = await run("package", "url", "add", "folder@1", "https://c.example/a?key=secret", "--json");
    expect(JSON.parse(added.out)).toEqual({
      urls: [{ url: "https://c.example/a?…", layout: "folder" }],
      atSource: true,
    });
    const shown = await run("package", "url", "list", asFolder.out);
    expect(shown.out).toContain("the source");
  });
});

describe("a wrong command line", () => {
  const serveX = ["serve", "--data", "x", "--listen", "127.0.0.1:0"];
  const create = ["task", "create", "tool", "--action", "run", "--command", "x"];
  test.each([
    [["publish", "x"], 2, "--name"],
    [["frob"], 2, "unknown command"],
    [["publish", "/no/such/file", "--name", "a", "--version", "1"], 1, "/no/such/file"],
    [["publish", "ftp://x/y", "--name", "a", "--version", "1"], 1, "ftp:"],
    [["task", "watch", "seven"], 2, '"seven" is not a task id'],
    [["task", "show", "99"], 1, "No task 99"],
    [["task", "create", "nothing", "--action", "pre-cache"], 1, 'No package "nothing"'],
    [["task", "create", "tool", "--action", "erase"], 2, "erase"],
    [["task", "create", "tool", "--action", "run"], 2, "--command"],
    [["task", "create", "tool", "--action", "pre-cache", "--target", "everyone"], 1, "everyone"],
    [
      ["task", "create", "tool", "--action", "pre-cache", "--target", "os=linux and oss=x"],
      2,
      'unknown word at column 14: "oss", there are: name,',
    ],
    [["device", "list", "--filter", "memory>much"], 2, '"much" at column 8 is not a size'],
    [["device", "tag", "pc-1"], 2, "tag"],
    [["device", "tag", "pc-9", "b7"], 1, 'No device is named "pc-9"'],
    [["device", "tag", "all", "b 7"], 2, '"b 7" cannot be a name: a name has letters, digits'],
    [["device", "untag", "all", "none"], 2, '"none" means that there is none'],
    [["group", "add", "nowhere", "all"], 1, "No device matches"],
    [["group", "delete", "nowhere"], 1, 'No group or tag is named "nowhere"'],
    [["site", "rename", "Kiel", "x".repeat(65)], 2, "at most 64 characters"],
    [["site", "delete", "Kiel"], 1, 'No site is named "Kiel"'],
    [["subnet", "name", "floor-2", "floor-3"], 1, 'No subnet is "floor-2": give the id'],
    [["subnet", "assign", "0123456789abcdef", "Kiel"], 1, "No device is on subnet 0123456789abcdef"],
    [["task", "create", "tool", "--action", "pre-cache", "--start", "soon"], 2, '"soon" is not a time'],
    [[...create, "--start", "25:00"], 2, '"25:00" is not a time'],
    [[...create, "--start", "2030-02-30T22:00 at noon"], 2, "is not a time"],
    [[...create, "--deadline", "22:00"], 2, "which only --start takes"],
    [[...create, "--deadline", "soon"], 2, '"soon" is not a time'],
    [[...create, "--expires", "2030-01-31T22:00 local"], 2, "which only --start takes"],
    [[...create, "--not-while", "C:\\EXCEL.EXE"], 2, '"C:\\EXCEL.EXE" is not a list of programs'],
    [[...create, "--not-while", "a,,b"], 2, "a name is empty"],
    [["task", "create", "tool", "--action", "pre-cache", "--not-while", "x"], 2, "pre-cache runs nothing"],
    [["task", "create", "tool", "--action", "pre-cache", "--deadline", "+1h"], 2, "pre-cache runs nothing"],
    [["task", "edit", "1"], 2, "--deadline, --expires, --not-while"],
    [["task", "edit", "1", "--not-while", "a/b"], 2, '"a/b" is not a list of programs'],
    [["setting", "show", "none-such"], 1, "none-such"],
    [["setting", "set", "default", "runSchedule=night"], 2, '"night" is not a day'],
    [["setting", "set", "default", "runDeferrals=few"], 2, "few"],
    [["setting", "set", "default", "speed=9"], 2, "speed=9"],
    [["setting", "set", "default"], 2, "Nothing to change"],
    [["setting", "create", "none"], 2, '"none" is not a name'],
    [["setting", "assign", "default", "--target", "all", "--rank", "0"], 2, '"0" is not a rank'],
    [["setting", "revert", "default", "--version", "0"], 2, '"0" is not a version'],
    [["setting", "set", "default", "lanRate=fast"], 2, "fast"],
    [["setting", "set", "a/b", "lanRate=9mbit"], 2, "a/b"],
    [["task", "list", "--source", "here"], 2, '"here" is not the URL'],
    [["task", "list", "--source", "http://127.0.0.1:1"], 1, "http://127.0.0.1:1"],
    [["task", "list", "--token-file", "/no/such/token"], 1, "/no/such/token"],
    [["serve", "--data", "/dev/null/x", "--listen", "127.0.0.1:0"], 1, "/dev/null/x"],
    [["serve", "--data", "x", "--listen", "nowhere"], 2, '"nowhere" is not HOST:PORT'],
    [[...serveX, "--tls-cert", "c"], 2, "--tls-key"],
    [[...serveX, "--no-tls", "--tls-cert", "c", "--tls-key", "k"], 2, "--no-tls and --tls-cert exclude"],
    [[...serveX, "--no-tls", "--console-port", "7444"], 2, "the console is at --listen"],
    [[...serveX, "--console-port", "70000"], 2, '"70000" is not a port'],
    [[...serveX, "--name", "a.example", "--no-tls"], 2, "--name is for the certificate"],
    [[...serveX, "--name", "a.example", "--tls-cert", "c", "--tls-key", "k"], 2, "--name is for the"],
    [[...serveX, "--name", "a b"], 2, '--name "a b" is not a host name'],
    [["task", "list", "--source", "http://192.0.2.7:7443"], 2, "http://192.0.2.7:7443 has no TLS"],
    [["task", "list", "--source", "http://source.example"], 2, "--allow-plain-http in a lab"],
    [[...serveX, "--tls-cert", "c", "--tls-key", "k"], 1, '"c"'],
  ] as [string[], number, string][])(
    "%p exits with status %p and prints %p",
    async (words, status, message) => {
      const answer = await run(...words);
      expect(answer).toEqual({ status, out: "", error: expect.stringContaining(message) });
      const lines = answer.error.split("\n").filter((line) => !/^try: flockcast-source.* --help$/.test(line));
      expect(lines).toHaveLength(1);
    },
  );

  test("reports a port in use, with what to do", async () => {
    const { host } = new URL(environment["FLOCKCAST_SOURCE"]!);
    const answer = await run("serve", "--data", join(folder, "second"), "--listen", host);
    expect(answer).toMatchObject({
      status: 1,
      out: "",
      error: expect.stringContaining("another program uses"),
    });
  });

  test("refuses a folder that another source uses", async () => {
    const answer = await run("serve", "--data", join(folder, "data"), "--listen", "127.0.0.1:0");
    expect(answer).toMatchObject({
      status: 1,
      out: "",
      error: expect.stringContaining("another source is running"),
    });
  });
});

test.each([
  { words: [], protocol: "https:", isWarned: false },
  { words: ["--no-tls"], protocol: "http:", isWarned: true },
])("a source on all addresses with the words %j has the protocol and the warning", async (shape) => {
  const { words, protocol, isWarned } = shape;
  const dataDir = join(folder, `all-${protocol.slice(0, -1)}`);
  const child = spawn(["serve", "--data", dataDir, "--listen", "0.0.0.0:0", ...words]);
  const url = new URL(await urlIn(dataDir));
  expect([url.protocol, url.hostname]).toEqual([protocol, "127.0.0.1"]);
  const own = {
    FLOCKCAST_SOURCE: url.origin,
    FLOCKCAST_TOKEN: await readFile(join(dataDir, "admin.token"), "utf8"),
  };
  expect((await ended(spawn(["device", "list"], own))).status).toBe(0);
  child.kill("SIGTERM");
  const { error } = await ended(child);
  expect(error.includes("no TLS on a non-loopback address")).toBe(isWarned);
});

test("prints the version of the project for --version", async () => {
  expect(await run("--version")).toEqual({ status: 0, out: version, error: "" });
});

test("makes a setting of differences, changes it, and shows where each value comes from", async () => {
  const created = await run("setting", "create", "slow", "wanRate=8mbit", "sessionStartDelay=5s");
  expect(created).toEqual({ status: 0, out: "slow, version 1, inherits from default", error: "" });
  expect((await run("setting", "create", "slow")).error).toContain('There is a setting named "slow"');
  const changed = await run("setting", "set", "slow", "useMulticast=false", "sessionStartDelay=inherit");
  expect(changed.out.split("\n")).toEqual([
    "slow, version 2: 0 devices, 0 open tasks",
    "  useMulticast: true (built in) → false",
    "  sessionStartDelay: 5s → 1m (built in)",
  ]);
  const same = await run("setting", "set", "slow", "useMulticast=false");
  expect(same.out).toBe("slow, version 2: 0 devices, 0 open tasks; no value changed");
  expect((await run("setting", "create", "slower", "--parent", "slow", "wanAttempts=3")).status).toBe(0);
  const raised = await run("setting", "set", "default", "lanRate=50mbit");
  expect(raised.out).toContain("  lanRate: none (built in) → 50mbit");
  const { out } = await run("setting", "show", "slower");
  expect(out).toContain("# slower, version 1, inherits from slow version 2, default version 2: 0 devices");
  expect(out).toMatch(/useMulticast=false +slow +multicast/);
  expect(out).toMatch(/lanRate=50mbit +default +limit/);
  expect(out).toMatch(/wanAttempts=3 +- +download/);
  expect(out).toMatch(/sessionStartDelay=1m +built in +time/);
  const tree = (await run("setting", "list")).out.split("\n").map((line) => line.replaceAll(/ {2,}/g, "  "));
  expect(tree.slice(1)).toEqual([
    "default  2  0  0  lanRate=50mbit",
    "  slow  2  0  0  useMulticast=false wanRate=8mbit",
    "  slower  1  0  0  wanAttempts=3",
  ]);
  await run("setting", "set", "default", "lanRate=inherit");
});

test("compares settings and versions, and stores an earlier version again", async () => {
  await run("setting", "create", "lab", "wanRate=8mbit");
  await run("setting", "set", "lab", "wanRate=9mbit", "wanAttempts=2");
  const diff = await run("setting", "diff", "lab", "default");
  expect(diff.out.replaceAll(/ {2,}/g, "  ").split("\n")).toEqual([
    "KEY  lab  default",
    "wanRate  9mbit  none",
    "wanAttempts  2  8",
  ]);
  const versions = await run("setting", "diff", "lab", "--version", "1");
  expect(versions.out).toMatch(/wanRate +8mbit +9mbit\nwanAttempts +inherit +2$/);
  const reverted = await run("setting", "revert", "lab", "--version", "1", "--json");
  expect(JSON.parse(reverted.out)).toMatchObject({ name: "lab", version: 3, devices: 0 });
  const { out } = await run("setting", "history", "lab");
  expect(out.split("\n")[1]).toEndWith("wanRate: 9mbit → 8mbit; wanAttempts: 2 → inherit");
  await run("setting", "create", "labs");
  await run("setting", "set", "lab", "--parent", "labs");
  const moved = await run("setting", "diff", "lab", "--version", "3");
  expect(moved.out).toMatch(/parent +default +labs$/);
  expect((await run("setting", "diff", "lab", "--version", "9")).error).toContain("has no version 9");
  expect((await run("setting", "diff", "lab")).status).toBe(2);
});

test("refuses a misspelt setting, lists near names, and makes it with --create", async () => {
  await run("setting", "create", "branch2");
  const misspelt = await run("setting", "set", "brnach2", "wanRate=2mbit");
  expect(misspelt).toMatchObject({ status: 1, out: "" });
  expect(misspelt.error).toContain("did you mean branch2?");
  expect(misspelt.error).toContain("--create makes it");
  const made = await run("setting", "set", "brnach2", "wanRate=2mbit", "--create");
  expect(made.out).toBe("brnach2, version 1, inherits from default");
});

test("assigns settings in an order, renames one, and removes what nothing uses", async () => {
  await run("setting", "create", "kiosk");
  const assigned = await run("setting", "assign", "kiosk", "--target", "group:kiosks");
  expect(assigned.out).toContain("kiosk is assigned to group:kiosks, rank 1: 0 devices");
  expect(assigned.error.split("\n")).toEqual([
    'warning: no device has the tag "kiosks": group list shows all',
    "warning: no device matches group:kiosks yet",
  ]);
  await run("setting", "assign", "default", "--target", "group:lobby", "--rank", "1");
  expect((await run("setting", "rename", "kiosk", "booth")).status).toBe(0);
  const { out } = await run("setting", "assignments");
  expect(out.replaceAll(/ {2,}/g, "  ").split("\n").slice(1)).toEqual([
    "1  default  group:lobby  0  0",
    "2  booth  group:kiosks  0  0",
    expect.stringMatching(/^- {2}default {2}all others {2}\d+ {2}-$/),
  ]);
  const refused = await run("setting", "remove", "booth");
  expect(refused).toMatchObject({ status: 1 });
  expect(refused.error).toContain('Setting "booth" is used by assignments: group:kiosks');
  expect((await run("setting", "unassign", "booth")).status).toBe(0);
  expect((await run("setting", "unassign", "default")).status).toBe(0);
  expect((await run("setting", "remove", "booth")).out).toBe("removed booth");
  expect((await run("setting", "remove", "default")).error).toContain("keeps its name and stays");
});

async function agent(hostname: string, group = "watched") {
  const sourceUrl = environment["FLOCKCAST_SOURCE"]!;
  const token = await readFile(join(folder, "data", "enroll.token"), "utf8");
  const request = { token, hostname, os: "linux", arch: "x64", agentVersion: version };
  const { credential, identity } = await enrollDevice(sourceUrl, request);
  const transport = new SourceTransport({ url: sourceUrl, identity });
  const client = createAgentClient({ transport, credential });
  await client.checkIn({ inventory: inventoryOf(hostname, "127.0.0.1", [group]) });
  expect((await run("device", "tag", hostname, group)).out).toBe("1 of 1 devices changed");
  const report = (taskId: number, more: Partial<Progress>): Promise<void> =>
    client.progress([
      {
        taskId,
        state: "receiving",
        role: "peer",
        term: 1,
        bytesTotal: 100,
        bytesVerified: 0,
        from: { wan: 0, multicast: 0, peers: 0, cache: 0 },
        wanBytesFetched: 0,
        lanBytesSent: 0,
        rateBps: 0,
        way: "none",
        reasons: [problemReason("receives")],
        command: null,
        follows: null,
        wrongFrom: [],
        receivedFrom: [],
        attempt: 1,
        epoch: "",
        createdAtMs: 0,
        ...more,
      },
    ]);
  return { report };
}

test("task watch exits with 0 when all devices are complete, and with 1 and the reasons when some failed", async () => {
  const path = join(folder, "watched.bin");
  await writeFile(path, new Uint8Array(100));
  await run("publish", path, "--name", "watched", "--version", "1");
  const [one, two] = [await agent("desk-1"), await agent("desk-2")];
  const create = ["task", "create", "watched", "--action", "pre-cache", "--target", "group:watched"];
  const created = await run(...create);
  expect(created).toEqual({ status: 0, out: expect.stringMatching(/^\d+$/), error: "" });
  const taskId = Number(created.out);

  const watching = ended(spawn(["task", "watch", created.out]));
  await one.report(taskId, { bytesVerified: 50 });
  await Bun.sleep(1_200);
  await one.report(taskId, { state: "complete", bytesVerified: 100 });
  await two.report(taskId, { state: "complete", bytesVerified: 100 });
  const watched = await watching;
  expect(watched).toMatchObject({ status: 0, error: "" });
  expect(watched.out).toContain("127.0.0.0/24");
  expect(watched.out).toContain(`task ${taskId}: all 2 devices complete`);

  const again = await run(...create);
  const failedId = Number(again.out);
  await one.report(failedId, { state: "complete", bytesVerified: 100 });
  await two.report(failedId, { state: "failed", reasons: [problemReason("The disk is full")] });
  const failed = await run("task", "watch", again.out);
  expect([failed.status, failed.error]).toEqual([1, `error: Task ${failedId}: 1 of 2 devices failed`]);
  expect(failed.out).toMatch(/failed [0-9a-f]{16} desk-2: The disk is full/);

  const shown = JSON.parse((await run("task", "show", again.out, "--json")).out) as {
    deviceList: (TaskDevice & { readonly reason: string })[];
  };
  expect(shown.deviceList.map((device) => [device.hostname, device.state, device.reason])).toEqual([
    ["desk-1", "complete", "receives"],
    ["desk-2", "failed", "The disk is full"],
  ]);
  expect((await run("subnet", "list")).out).toContain("127.0.0.0/24");
  expect((await run("device", "list")).out).toContain("desk-2");
  expect((await run("task", "cancel", again.out)).status).toBe(0);
  expect((await run("task", "list")).out).toContain("cancelled");
}, 60_000);

test("the life of a task on the command line: warnings, exit statuses and JSON", async () => {
  const path = join(folder, "life.bin");
  await writeFile(path, "life");
  const published = await run("publish", path, "--name", "life", "--version", "1", "--json");
  expect(JSON.parse(published.out)).toMatchObject({ name: "life", version: "1" });
  const device = await agent("life-1", "life");
  const create = ["task", "create", "life", "--action", "run", "--command", "true"];
  const nobody = await run(...create, "--target", "group:nobody", "--expires", "+30d", "--json");
  expect(nobody).toMatchObject({ status: 0, error: expect.stringContaining("warning: no device matches") });
  const { taskId: id } = JSON.parse(nobody.out) as { taskId: number };
  const warnings = ['no device has the tag "nobody": group list shows all'];
  expect(JSON.parse(nobody.out)).toEqual({
    taskId: id,
    version: 1,
    state: "running",
    devices: 0,
    isSigned: true,
    warnings,
  });
  const change = (...words: string[]): Promise<Ended> =>
    run("task", words[0]!, String(id), ...words.slice(1));
  expect(await change("edit", "--target", "group:life", "--start", "+1d")).toEqual({
    status: 0,
    out: `task ${id}: scheduled, version 2, 1 device`,
    error: "",
  });
  expect((await change("start-now")).out).toBe(`task ${id}: running, version 3, 1 device`);
  expect((await change("pause")).out).toBe(`task ${id}: paused, version 3, 1 device`);
  expect((await run("task", "list")).out).toMatch(new RegExp(`^${id} .* paused `, "m"));
  const late = await change("watch", "--timeout", "1ms");
  expect([late.status, late.error]).toEqual([
    3,
    `error: Task ${id} is paused after 1ms: 0 of 1 devices complete`,
  ]);
  expect(late.out).toMatch(/pending [0-9a-f]{16} life-1: offline, not seen since \d{4}-/);
  expect((await change("show")).out).toContain("offline, not seen since");
  expect((await change("resume")).status).toBe(0);
  await device.report(id, {
    state: "failed",
    reasons: [problemReason("exit code 7")],
    command: {
      exitCode: 7,
      timedOut: false,
      outputTail: "no licence\n",
      meaning: "failed",
      runs: 1,
      startedAtMs: null,
      endedAtMs: null,
    },
  });
  expect(await change("output", "life-1")).toEqual({
    status: 0,
    out: "no licence",
    error: "life-1: exit code 7",
  });
  expect((await change("output", "life-2")).error).toContain('no device "life-2"');
  expect((await change("retry")).out).toBe(`task ${id}: repeated on 1 device`);
  expect((await change("remove")).error).toContain("cancel it first");
  await device.report(id, { state: "complete", attempt: 2 });
  const done = await change("watch", "--until", "95%");
  expect([done.status, done.out]).toEqual([0, expect.stringContaining("all 1 devices complete")]);
  await run("task", "cancel", String(id));
  const copy = await run("task", "create", "--from", String(id));
  expect((await run("package", "remove", "life@1")).error).toContain(`Open tasks need life@1: ${copy.out}`);
  expect((await run("task", "cancel", copy.out, "--json")).out).toContain('"cancelled"');
  expect((await run("package", "remove", "life@1")).out).toBe("removed life 1");
  expect(JSON.parse((await change("remove", "--json")).out)).toEqual({ taskId: id });
  for (const words of [
    ["edit", String(id)],
    ["edit", String(id), "--target", "tag="],
    ["watch", String(id), "--until", "0%"],
    ["watch", String(id), "--timeout", "soon"],
    ["create"],
    ["create", "life"],
  ])
    expect([words, (await run("task", ...words)).status]).toEqual([words, 2]);
}, 60_000);

describe("token", () => {
  test("create prints the text once, which gives the rights of the role until token revoke", async () => {
    const created = await run("token", "create", "dashboard", "--kind", "person", "--role", "viewer");
    expect(created).toMatchObject({ status: 0, error: "" });
    expect(created.out).toMatch(/^fc_p\S+$/);
    const asViewer = async (...words: string[]): Promise<Ended> => {
      const admin = environment["FLOCKCAST_TOKEN"];
      environment["FLOCKCAST_TOKEN"] = created.out;
      try {
        return await run(...words);
      } finally {
        environment["FLOCKCAST_TOKEN"] = admin;
      }
    };
    expect(await asViewer("device", "list")).toMatchObject({ status: 0, error: "" });
    expect(await asViewer("group", "create", "x")).toMatchObject({
      status: 1,
      error: expect.stringContaining('"dashboard" has the role viewer'),
    });
    const list = await run("token", "list");
    expect(list.out).toMatch(/dashboard +viewer +valid until/);
    expect(list.out).not.toContain(created.out);
    expect(await run("token", "revoke", "dashboard")).toMatchObject({ status: 0 });
    expect(await asViewer("device", "list")).toMatchObject({
      status: 1,
      error: expect.stringContaining('"dashboard" was revoked'),
    });
  });

  test.each([
    [["--kind", "person"], "needs a role"],
    [["--kind", "enrolment", "--role", "viewer"], "--role is not for --kind enrolment"],
    [["--kind", "person", "--role", "viewer", "--uses", "3"], "--uses is not for --kind person"],
    [["--kind", "person", "--role", "publisher", "--scope", "a"], "viewers and operators"],
    [["--kind", "enrolment", "--uses", "0"], "is not a number of devices"],
  ])("create refuses %j with exit status 2", async (words, error) => {
    const refused = await run("token", "create", "t", ...words);
    expect(refused).toMatchObject({ status: 2, error: expect.stringContaining(error) });
  });
});

describe("audit", () => {
  test("list shows who changed what, and verify and export check the chain", async () => {
    expect((await run("group", "create", "audited")).status).toBe(0);
    const list = await run("audit", "list", "--since", "1h", "--object", "group audited");
    expect(list.out).toMatch(/admin\.token at 127\.0\.0\.1 +PUT \/v1\/groups\/:name +group audited +done/);
    const verified = await run("audit", "verify");
    expect(verified).toMatchObject({ status: 0, error: "" });
    const head = /head (\d+:[0-9a-f]{64})$/.exec(verified.out)![1]!;
    expect((await run("audit", "verify", "--head", head)).status).toBe(0);
    const other = head.replace(/.$/, (last) => (last === "0" ? "1" : "0"));
    expect(await run("audit", "verify", "--head", other)).toMatchObject({
      status: 1,
      error: expect.stringContaining("is changed since"),
    });
    const file = join(folder, "audit.jsonl");
    expect((await run("audit", "export", file)).status).toBe(0);
    expect((await run("audit", "verify", "--file", file)).out).toContain("are in order; head ");
    await writeFile(file, (await readFile(file, "utf8")).replace("group audited", "group other"));
    expect(await run("audit", "verify", "--file", file)).toMatchObject({
      status: 1,
      error: expect.stringMatching(/row \d+ was changed/),
    });
  });

  test.each([
    [["verify", "--head", "7"], "is not a head"],
    [["list", "--since", "yesterday"], "is not a time"],
    [["list", "--limit", "0"], "is not a number of rows"],
  ])("refuses %j with exit status 2", async (words, error) => {
    const refused = await run("audit", ...words);
    expect(refused).toMatchObject({ status: 2, error: expect.stringContaining(error) });
  });
});

test("task watch exits with 130 after Ctrl-C", async () => {
  const path = join(folder, "endless.bin");
  await writeFile(path, "x");
  await run("publish", path, "--name", "endless", "--version", "1");
  const created = await run("task", "create", "endless", "--action", "pre-cache", "--target", "group:nobody");
  const child = spawn(["task", "watch", created.out]);
  await Bun.sleep(1_500);
  child.kill("SIGINT");
  expect((await ended(child)).status).toBe(130);
}, 60_000);

test("a source that is killed during an upload starts again, and the upload can be repeated", async () => {
  const dataDir = join(folder, "killed");
  const serve = ["serve", "--data", dataDir, "--listen", "127.0.0.1:0"];
  const first = spawn(serve);
  const url = await urlIn(dataDir);
  const token = await readFile(join(dataDir, "admin.token"), "utf8");
  const large = join(folder, "large.bin");
  await writeFile(large, new Uint8Array(200 * 1_048_576));
  const words = ["publish", large, "--name", "large", "--version", "1"];
  const publishing = spawn(words, { FLOCKCAST_SOURCE: url, FLOCKCAST_TOKEN: token });
  const uploads = new Bun.Glob("packages/*/uploading-*");
  for (let tries = 0; tries < 1_000; tries++) {
    if ((await Array.fromAsync(uploads.scan(dataDir)).catch(() => [])).length > 0) break;
    await Bun.sleep(5);
  }
  first.kill("SIGKILL");
  await first.exited;
  const broken = await ended(publishing);
  expect(broken).toMatchObject({ status: 1, out: "" });
  await rm(join(dataDir, "source.url"));
  const second = spawn(serve);
  const environmentNow = { FLOCKCAST_SOURCE: await urlIn(dataDir), FLOCKCAST_TOKEN: token };
  expect(await Array.fromAsync(uploads.scan(dataDir))).toEqual([]);
  expect((await ended(spawn(["package", "list"], environmentNow))).out).toContain("uploading");
  expect((await ended(spawn(words, environmentNow))).status).toBe(0);
  expect((await ended(spawn(["package", "list"], environmentNow))).out).toContain("ready");
  second.kill("SIGTERM");
  expect(await second.exited).toBe(0);
}, 30_000);
