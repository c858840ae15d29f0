/** Export of lists, and import of devices, subnets and settings, with a running source. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runToEnd } from "../scripts/rig/process.ts";
import {
  createAdminClient,
  createAgentClient,
  enrollDevice,
  SourceTransport,
  type AdminClient,
} from "../shared/api/agent-client.ts";
import { parseCsv } from "../shared/command-line/csv.ts";
import { createLogger } from "../shared/log.ts";
import { inventoryOf } from "../shared/source/app-fixture.ts";
import { startSource, type RunningSource } from "../shared/source/server.ts";

const program = join(import.meta.dir, "source.ts");
let folder: string;
let source: RunningSource;
let client: AdminClient;
let environment: Record<string, string>;
const ids: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flockcast-imports-"));
  const dataDir = join(folder, "data");
  const listen = { host: "127.0.0.1", port: 0 };
  source = await startSource({ dataDir, listen, tls: { kind: "none" }, log: createLogger("test", "silent") });
  const tokenOf = (name: string) => readFile(join(dataDir, `${name}.token`), "utf8");
  const token = await tokenOf("admin");
  environment = { FLOCKCAST_SOURCE: source.url, FLOCKCAST_TOKEN: token };
  client = createAdminClient({ sourceUrl: source.url, token });
  for (const hostname of ["h1", "h2", "h3"]) {
    const request = { hostname, os: "linux", arch: "x64", agentVersion: "0.1.0" };
    const answer = await enrollDevice(source.url, { token: await tokenOf("enroll"), ...request });
    const { identity, tlsSpki, credential, deviceId } = answer;
    const transport = new SourceTransport({ url: source.url, identity, spki: tlsSpki });
    await createAgentClient({ transport, credential }).checkIn({
      inventory: inventoryOf(hostname, "127.0.0.1"),
    });
    ids.push(deviceId);
  }
}, 60_000);
afterAll(async () => {
  await source.stop();
  await rm(folder, { recursive: true });
});

const run = (...words: string[]) => runToEnd([process.execPath, program, ...words], { env: environment });
async function fileOf(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}
const tagsOf = async (): Promise<string[][]> => {
  const byId = new Map((await client.devices()).map((one) => [one.id, one.tags]));
  return ids.map((id) => [...byId.get(id)!].toSorted());
};

describe("an export", () => {
  test("has every field of --json, in rows that a program reads", async () => {
    const { stdout, status } = await run("device", "list", "--csv");
    expect(status).toBe(0);
    const rows = parseCsv(stdout);
    const json = JSON.parse((await run("device", "list", "--json")).stdout) as Record<string, unknown>[];
    expect(rows.map(({ id }) => id)).toEqual(json.map(({ id }) => String(id)));
    expect(rows[0]).toMatchObject({
      hostname: json[0]!["hostname"],
      "inventory.os": "linux",
      state: "active",
    });
  });

  test("is refused together with --json", async () => {
    const { status, stderr } = await run("task", "list", "--csv", "--json");
    expect([status, stderr]).toEqual([2, expect.stringContaining("cannot be used with")]);
  });
});

describe("device import", () => {
  test("shows each change with --dry-run, makes it without, and finds nothing more to do then", async () => {
    await client.changeTags({ devices: ids[0]!, add: ["old"] });
    const text = `id,tags,name,ticket\n${ids[0]},"floor,b7",Desk,1\n${ids[1]},b7 floor,,2\n${ids[2]},,,3\n`;
    const path = await fileOf("devices.csv", text);
    const dry = await run("device", "import", path, "--dry-run");
    expect(dry.stdout.split("\n").slice(0, 3)).toEqual([
      `device ${ids[0]} h1: +floor, +b7, -old, name none → Desk`,
      `device ${ids[1]} h2: +b7, +floor`,
      "2 of 3 would change; nothing was changed",
    ]);
    expect([dry.status, dry.stderr.trim()]).toEqual([0, "not imported: ticket"]);
    expect(await tagsOf()).toEqual([["old"], [], []]);

    expect((await run("device", "import", path)).stdout).toContain("2 of 3 changed");
    expect(await tagsOf()).toEqual([["b7", "floor"], ["b7", "floor"], []]);
    expect((await client.device("Desk")).id).toBe(ids[0]!);
    const again = await run("device", "import", path, "--json");
    expect(JSON.parse(again.stdout)).toEqual({ dryRun: false, rows: 3, changed: [] });
  });

  test("takes its own export in CSV and JSON, and changes nothing", async () => {
    for (const form of ["--csv", "--json"]) {
      const path = await fileOf("export", (await run("device", "list", form)).stdout);
      const { stdout, status } = await run("device", "import", path, "--json");
      expect([status, JSON.parse(stdout)]).toEqual([0, { dryRun: false, rows: 3, changed: [] }]);
    }
  });

  test("names the faults of all rows and changes nothing", async () => {
    const before = await tagsOf();
    const path = await fileOf("wrong.csv", `id,tags\n${ids[0]},new\nffff,x\n${ids[1]},a/b\n`);
    const { status, stderr, stdout } = await run("device", "import", path);
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toContain('row 2: no device has the id "ffff"');
    expect(stderr).toContain('row 3: "a/b" cannot be a tag');
    expect(stderr).toContain("Nothing was changed: 2 rows have faults");
    expect(await tagsOf()).toEqual(before);
  });

  test("refuses a file without ids, and one that does not exist", async () => {
    const path = await fileOf("other.csv", "host,tags\nh1,x\n");
    expect((await run("device", "import", path)).stderr).toContain('has no field "id"');
    const missing = await run("device", "import", join(folder, "nothing"));
    expect([missing.status, missing.stderr]).toEqual([1, expect.stringContaining("Cannot read")]);
  });
});

describe("group import", () => {
  test("declares the groups that do not exist, also of its own export", async () => {
    const path = await fileOf("groups.csv", "name\nlab\nfloor\nLAB\n");
    expect((await run("group", "import", path, "--dry-run")).stdout).toBe(
      "group lab: new\n1 of 3 would change; nothing was changed\n",
    );
    expect((await run("group", "import", path)).status).toBe(0);
    expect((await client.groups()).map(({ name }) => name)).toContain("lab");
    const own = await fileOf("groups", (await run("group", "list", "--csv")).stdout);
    expect((await run("group", "import", own)).stdout).toStartWith("0 of ");
  });
});

describe("subnet import", () => {
  test("names subnets, and makes a site that is missing once", async () => {
    const [subnet] = await client.subnets();
    const path = await fileOf(
      "subnets.json",
      JSON.stringify([{ id: subnet!.id, name: "office", site: "Hamburg" }]),
    );
    const dry = await run("subnet", "import", path, "--dry-run");
    expect(dry.stdout).toContain("site Hamburg: new\n");
    expect(dry.stdout).toContain(
      `subnet ${subnet!.id} ${subnet!.cidr}: name none → office, site none → Hamburg`,
    );
    expect(await client.sites()).toEqual([]);
    expect((await run("subnet", "import", path)).status).toBe(0);
    expect((await client.subnets())[0]).toMatchObject({ name: "office", site: "Hamburg" });
    const back = await fileOf("subnets.csv", `id,name,site\n${subnet!.id},,Hamburg\n`);
    expect((await run("subnet", "import", back)).stdout).toContain("name office → none");
    expect((await client.subnets())[0]).toMatchObject({ name: null, site: "Hamburg" });
  });
});

describe("setting import", () => {
  test("makes settings, changes and inherits values, and takes its own export", async () => {
    const path = await fileOf(
      "settings.csv",
      "name,parent,lanRate,wanStall\nbranch,default,80mbit,\nslow,branch,10mbit,9s\n",
    );
    const dry = await run("setting", "import", path, "--dry-run");
    expect(dry.stdout).toContain("setting slow: new, inherits from branch, lanRate inherit → 10mbit");
    expect((await client.settings()).map(({ name }) => name)).toEqual(["default"]);
    const done = await run("setting", "import", path);
    expect([done.status, done.stderr]).toEqual([0, ""]);
    expect(await client.setting("slow")).toMatchObject({ differences: { lanRateBps: 10_000_000 } });

    for (const form of ["--csv", "--json"]) {
      const exported = await fileOf("settings", (await run("setting", "list", form)).stdout);
      const { stdout, stderr } = await run("setting", "import", exported, "--json");
      expect({ stderr: stderr.replace(/^not imported.*\n/, ""), ...JSON.parse(stdout) }).toMatchObject({
        stderr: "",
        changed: [],
      });
    }
    const other = await fileOf("settings.csv", "name,parent,lanRate\nslow,default,\n");
    expect((await run("setting", "import", other)).stdout).toContain(
      "setting slow: parent branch → default, lanRate 10mbit → inherit",
    );
    expect((await client.setting("slow")).differences).not.toHaveProperty("lanRateBps");
  });

  test("names a wrong value and an unknown parent, and changes nothing", async () => {
    const path = await fileOf("settings.csv", "name,parent,lanRate\nnew1,,fast\nnew2,nobody,80mbit\n");
    const { status, stderr } = await run("setting", "import", path);
    expect(status).toBe(1);
    expect(stderr).toContain("row 1: Cannot set lanRate=fast");
    expect(stderr).toContain('row 2: no setting is named "nobody"');
    expect((await client.settings()).map(({ name }) => name)).not.toContain("new1");
  });
});
