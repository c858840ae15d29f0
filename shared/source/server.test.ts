import { publisherKeysFor, readPayload, trustFileSchema } from "../model/trust/index.ts";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "../log.ts";
import { digestPath } from "./publishing/digest-files.ts";
import { signed, verifySigned } from "../model/signing.ts";
import { loadOrCreatePublisherKey } from "./publishing/publisher-key.ts";
import {
  createAdminClient,
  createAgentClient,
  enrollDevice,
  SourceError,
  SourceTransport,
  type AdminClient,
  type AgentClient,
} from "../api/agent-client.ts";
import { plainTransport } from "../api/testing-transport.ts";
import { readToken } from "../api/token.ts";
import { inventoryOf } from "./app-fixture.ts";
import { startSource, type RunningSource } from "./server.ts";
import type { TlsFiles } from "./serving-certificate.ts";

let folder: string;
let source: RunningSource;
const dataDir = (): string => join(folder, "data");
const token = async (name: string): Promise<string> => readFile(join(dataDir(), `${name}.token`), "utf8");
const start = async (files?: TlsFiles, port = 0, startedAtMs?: number): Promise<void> => {
  const listen = { host: "127.0.0.1", port };
  const tls = files ? ({ kind: "files", ...files } as const) : ({ kind: "none" } as const);
  const clock = startedAtMs === undefined ? {} : { nowMs: () => startedAtMs };
  const log = createLogger("test", "silent");
  source = await startSource({ dataDir: dataDir(), listen, tls, log, ...clock });
};
const admin = async (): Promise<AdminClient> =>
  createAdminClient({ sourceUrl: source.url, token: await token("admin") });

async function enrolled(hostname = "h1"): Promise<{ client: AgentClient; deviceId: string }> {
  const request = { hostname, os: "linux", arch: "x64", agentVersion: "0.1.0" };
  const answer = await enrollDevice(source.url, { token: await token("enroll"), ...request });
  const { credential, identity, tlsSpki, deviceId } = answer;
  const transport = new SourceTransport({ url: source.url, identity, spki: tlsSpki });
  return { client: createAgentClient({ transport, credential }), deviceId };
}

const inventory = inventoryOf("h1", "127.0.0.1");
const content = new Uint8Array(randomBytes(3_000_000));

async function published(client: AdminClient): Promise<string> {
  const files = join(folder, "files");
  await mkdir(files, { recursive: true });
  await writeFile(join(files, "a.bin"), content.subarray(0, 1_000_001));
  await writeFile(join(files, "b.bin"), content.subarray(1_000_001));
  const { bytes } = await digestPath(files, { name: "tool", version: "1" });
  const key = await loadOrCreatePublisherKey(join(folder, "publisher.key"));
  const { packageId } = await client.publish(signed(bytes, key));
  await client.putContent(packageId, new Blob([content]).stream());
  return packageId;
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "flockcast-source-"));
});
afterEach(async () => {
  await source.stop();
  await rm(folder, { recursive: true });
});

const createTask = async (): Promise<number> => {
  const request = { package: "tool", action: "pre-cache", command: null, run: null } as const;
  const task = { ...request, setting: null, target: "all", startAtMs: null };
  return (await (await admin()).createTask(task)).taskId;
};

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > deadlineMs) throw new Error("did not happen within 10 s");
    await Bun.sleep(20);
  }
}

const kindOf = async (promise: Promise<unknown>): Promise<[string, number | null]> => {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof SourceError)) throw new Error(`no SourceError: ${String(error)}`);
  return [error.kind, error.status];
};

describe("a source on a socket", () => {
  test("creates private tokens and a file with its URL, and removes the file at the stop", async () => {
    await start();
    for (const name of ["admin.token", "enroll.token"]) {
      expect((await stat(join(dataDir(), name))).mode & 0o777).toBe(0o600);
    }
    expect(readToken(await token("enroll"))).toEqual({
      kind: "enrolment",
      secret: expect.any(String),
      identity: expect.stringMatching(/^[0-9a-f]{64}$/),
      root: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect((await readFile(join(dataDir(), "source.url"), "utf8")).trim()).toBe(source.url);
    const before = await token("admin");
    await source.stop();
    expect(await readdir(dataDir())).not.toContain("source.url");
    await start();
    expect(await token("admin")).toBe(before);
  });

  test("answers too many enrolments in a way that agents repeat later", async () => {
    await start();
    for (let at = 0; at < 200; at++) await enrolled(`h${at}`);
    // The kind that the agent repeats with a back-off until it is enrolled.
    for (let at = 0; ; at++) {
      const failed = await kindOf(enrolled("late")).catch(() => null);
      if (failed === null && at < 20) continue;
      expect(failed).toEqual(["unreachable", 429]);
      break;
    }
  }, 60_000);

  test("ends the token of a file that was removed, and makes another one at the next start", async () => {
    await start();
    const before = await token("admin");
    await source.stop();
    await rm(join(dataDir(), "admin.token"));
    await start();
    const old = createAdminClient({ sourceUrl: source.url, token: before });
    expect(await kindOf(old.tasks())).toEqual(["unauthorized", 401]);
    const tokens = await (await admin()).tokens();
    expect(tokens.filter(({ name }) => name === "admin.token")).toMatchObject([
      { revokedAtMs: expect.any(Number) },
      { revokedAtMs: null },
    ]);
  });

  test("keeps a revoked token of a file revoked, also after retention, until the file is removed", async () => {
    await start();
    await (await admin()).revokeToken("enroll.token");
    const revoked = await token("enroll");
    await source.stop();
    await start(undefined, 0, Date.now() + 200 * 86_400_000);
    await source.doPeriodicWork();
    await source.stop();
    await start();
    expect(await token("enroll")).toBe(revoked);
    expect(await kindOf(enrolled())).toEqual(["unauthorized", 401]);
    await source.stop();
    await rm(join(dataDir(), "enroll.token"));
    await start();
    expect((await enrolled()).deviceId).toMatch(/^[0-9a-f]{16}$/);
  });

  test("serves the bytes of an uploaded package, whole and in ranges", async () => {
    await start();
    const packageId = await published(await admin());
    const { client } = await enrolled();
    const { subnetId } = await client.checkIn({ inventory });
    const taskId = await createTask();
    const { authorization } = client;
    const whole = await fetch(client.contentUrl(packageId), { headers: { authorization } });
    expect(Buffer.from(await whole.arrayBuffer()).equals(content)).toBe(true);
    const range = "bytes=999999-2000000";
    const part = await fetch(client.contentUrl(packageId), { headers: { authorization, range } });
    expect([part.status, part.headers.get("content-range")]).toEqual([206, "bytes 999999-2000000/3000000"]);
    expect(Buffer.from(await part.arrayBuffer()).equals(content.subarray(999_999, 2_000_001))).toBe(true);

    const task = await (await admin()).task(taskId);
    expect(task.subnets).toMatchObject([{ subnetId, wanBytes: 4_000_002 }]);
  });

  test("sends a manifest to one device of a subnet, and names it to the others", async () => {
    await start();
    const packageId = await published(await admin());
    const taskId = await createTask();
    const devices = [await enrolled("h1"), await enrolled("h2")] as const;
    const answers = [];
    for (const [index, { client }] of devices.entries()) {
      const { trust, subnetId } = await client.checkIn({
        inventory: inventoryOf(`h${index}`, "127.0.0.1"),
      });
      const wanted = {
        taskId,
        epoch: "",
        subnetId,
        address: "127.0.0.1",
        lanPort: 7_000 + index,
        attempt: 0,
      };
      const answer = await client.manifest(wanted);
      answers.push(answer);
      if (answer.result === "elsewhere") continue;
      const keys = publisherKeysFor(readPayload(trustFileSchema, trust.files.at(-1)!), "tool");
      expect((await verifySigned(answer.signed, keys)).id).toBe(packageId);
    }
    expect(answers).toMatchObject([
      { result: "granted" },
      {
        result: "elsewhere",
        holders: [{ device: devices[0].deviceId, address: "127.0.0.1", lanPort: 7_000 }],
      },
    ]);
  });

  test("counts only the bytes that a disconnected reader received", async () => {
    await start();
    const large = join(folder, "large");
    await writeFile(large, new Uint8Array(64 * 1_048_576));
    const client = await admin();
    const { bytes } = await digestPath(large, { name: "large", version: "1" });
    const key = await loadOrCreatePublisherKey(join(folder, "publisher.key"));
    const { packageId } = await client.publish(signed(bytes, key));
    await client.putContent(packageId, Bun.file(large).stream());
    const agent = await enrolled();
    await agent.client.checkIn({ inventory });
    const request = {
      package: "large",
      action: "pre-cache",
      command: null,
      run: null,
      setting: null,
    } as const;
    const { taskId } = await client.createTask({ ...request, target: "all", startAtMs: null });
    const aborter = new AbortController();
    const { authorization } = agent.client;
    const response = await fetch(agent.client.contentUrl(packageId), {
      headers: { authorization },
      signal: aborter.signal,
    });
    await response.body!.getReader().read();
    aborter.abort();
    const wanBytes = async (): Promise<number> => (await client.task(taskId)).subnets[0]!.wanBytes;
    await until(async () => (await wanBytes()) > 0);
    await Bun.sleep(300);
    expect(await wanBytes()).toBeLessThan(32 * 1_048_576);
  });

  test("notifies only the affected devices of a new task, a cancelled task and a changed setting", async () => {
    await start();
    const client = await admin();
    await published(client);
    const [mine, other] = [await enrolled("h1"), await enrolled("h2")];
    const wakes = { mine: 0, other: 0 };
    const ended = new AbortController();
    const following = [
      mine.client.events(ended.signal, () => wakes.mine++),
      other.client.events(ended.signal, () => wakes.other++),
    ];
    await until(() => wakes.mine === 1 && wakes.other === 1);
    expect((await client.devices()).map((device) => device.connected)).toEqual([true, true]);
    const request = {
      package: "tool",
      action: "pre-cache",
      command: null,
      run: null,
      startAtMs: null,
    } as const;
    await client.createSetting({ name: "slow", differences: { lanRateBps: 1_000_000 } });
    const { taskId } = await client.createTask({
      ...request,
      setting: "slow",
      target: `device:${mine.deviceId}`,
    });
    await until(() => wakes.mine === 2);
    await client.editSetting("slow", { set: { lanRateBps: 2_000_000 } });
    await until(() => wakes.mine === 3);
    await client.changeTask(taskId, "cancel");
    await until(() => wakes.mine === 4);
    expect(wakes.other).toBe(1);
    await client.editSetting("default", { set: { wanAttempts: 9 } });
    await until(() => wakes.mine === 5 && wakes.other === 2);
    ended.abort();
    await Promise.all(following);
    await until(async () => (await client.devices()).every((device) => !device.connected));
  });

  test("is followed by a device across a restart", async () => {
    await start();
    const { client } = await enrolled();
    const { port } = new URL(source.url);
    const ended = new AbortController();
    let wakes = 0;
    let losses = 0;
    const following = client.events(
      ended.signal,
      () => wakes++,
      () => losses++,
    );
    await until(() => wakes === 1);
    await source.stop();
    await until(() => losses > 0);
    await start(undefined, Number(port));
    await until(() => wakes === 2);
    ended.abort();
    await following;
  });

  test("removes an interrupted upload at the next start and keeps the package unready", async () => {
    await start();
    const client = await admin();
    const path = join(folder, "tool");
    await writeFile(path, content);
    const { bytes } = await digestPath(path, { name: "tool", version: "1" });
    const key = await loadOrCreatePublisherKey(join(folder, "publisher.key"));
    const { packageId } = await client.publish(signed(bytes, key));
    // Raw socket that disconnects in the middle of a body.
    const { hostname, port } = new URL(source.url);
    const socket = connect(Number(port), hostname);
    socket.write(
      `PUT /v1/packages/${packageId}/content HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${(await token("admin")).trim()}\r\n` +
        `content-length: ${content.length}\r\n\r\n`,
    );
    socket.write(content.subarray(0, 1_000_000));
    const stored = (): Promise<string[]> => readdir(join(dataDir(), "packages", packageId)).catch(() => []);
    await until(async () => (await stored()).length > 0);
    socket.destroy();
    await until(async () => (await stored()).length === 0);
    await writeFile(join(dataDir(), "packages", packageId, "uploading-left-by-a-crash"), "half");
    await source.stop();
    await start();
    expect(await stored()).toEqual([]);
    const again = await admin();
    expect((await again.packages())[0]!.state).toBe("uploading");
    expect((await again.publish(signed(bytes, key))).contentNeeded).toBe(true);
  });

  test("gives every failure a kind", async () => {
    await start();
    const { client } = await enrolled();
    const wanted = { taskId: 7, epoch: "", subnetId: null, address: "10.0.0.5", lanPort: 7_067, attempt: 0 };
    expect(await kindOf(client.manifest(wanted))).toEqual(["refused", 404]);
    const stranger = createAgentClient({ transport: plainTransport(source.url), credential: "nobody" });
    expect(await kindOf(stranger.checkIn({ inventory }))).toEqual(["unauthorized", 401]);
    const unreachable = createAgentClient({
      transport: plainTransport("http://127.0.0.1:1"),
      credential: "x",
    });
    expect(await kindOf(unreachable.checkIn({ inventory }))).toEqual(["unreachable", null]);
    const strange = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => Response.json({ hello: 1 }) });
    const elsewhere = createAgentClient({ transport: plainTransport(strange.url.origin), credential: "x" });
    expect(await kindOf(elsewhere.checkIn({ inventory }))).toEqual(["invalid", 200]);
    await strange.stop(true);
  });
});

async function certificate(name: string): Promise<TlsFiles> {
  const [certFile, keyFile] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)];
  const words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30".split(" ");
  const out = ["-subj", `/CN=${name}`, "-out", certFile, "-keyout", keyFile];
  const child = Bun.spawn(["openssl", ...words, ...out], { stderr: "ignore" });
  expect(await child.exited).toBe(0);
  return { certFile, keyFile };
}

describe("a source with a self-signed certificate", () => {
  test("is trusted by the identity in the token, for any name in the certificate", async () => {
    await start(await certificate("elsewhere.example"));
    expect(source.url).toStartWith("https:");
    const packageId = await published(await admin());
    const { client } = await enrolled();
    expect((await client.checkIn({ inventory })).trust.version).toBe(2);
    await createTask();
    const response = await client.fetch(client.contentUrl(packageId), {
      headers: { authorization: client.authorization },
    });
    expect(Buffer.from(await response.arrayBuffer()).equals(content)).toBe(true);
    const ended = new AbortController();
    let wakes = 0;
    const following = client.events(ended.signal, () => wakes++);
    await until(() => wakes === 1);
    ended.abort();
    await following;
  });

  test("is refused with another identity in the token, and accepted after the certificate changed", async () => {
    await start(await certificate("one.example"));
    const { client } = await enrolled();
    const before = await token("enroll");
    const { secret, identity } = readToken(before)!;
    const request = { hostname: "h", os: "linux", arch: "x64", agentVersion: "1" };
    const enrol = (text: string) => enrollDevice(source.url, { token: text, ...request });
    await expect(enrol(`fc1.${secret}.${identity}`)).rejects.toThrow("is of an earlier version");
    await expect(enrol(`fc_e${secret}.${"0".repeat(64)}`)).rejects.toMatchObject({
      kind: "unauthorized",
      message: expect.stringContaining(identity),
    });
    await source.stop();
    await start(await certificate("two.example"), Number(new URL(source.url).port));
    expect(await token("enroll")).toBe(before);
    expect((await client.checkIn({ inventory })).tasks).toEqual([]);
    expect((await client.statement()).tlsSpki).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe("the identity key of a source", () => {
  test("is private, stays, and is not replaced when it is missing", async () => {
    await start();
    const file = join(dataDir(), "identity.key");
    const before = await readFile(file, "utf8");
    if (process.platform !== "win32") expect((await stat(file)).mode & 0o777).toBe(0o600);
    await source.stop();
    await start();
    expect(await readFile(file, "utf8")).toBe(before);
    await source.stop();
    await rm(file);
    await expect(start()).rejects.toThrow(/identity\.key" is missing.*backup/);
    await writeFile(file, "nonsense");
    await expect(start()).rejects.toThrow(/not an Ed25519 private key/);
    await writeFile(file, before);
    await start();
  });
});
