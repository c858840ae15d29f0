/** The way to a pinned source, with real sources, certificates and impostors on loopback. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createLogger } from "../log.ts";
import { startSource, type RunningSource } from "../source/server.ts";
import { createAdminClient } from "./admin-client.ts";
import { enrollDevice } from "./agent-client.ts";
import { contactProblemOf } from "./source-error.ts";
import { SourceTransport } from "./source-transport.ts";
import { makeCertificate, withChain, type CertificateFiles } from "./testing-certificates.ts";
import { openImpostor } from "./testing-impostor.ts";
import { readToken } from "./token.ts";

let folder: string;
let sources: RunningSource[] = [];
const cleanups: (() => unknown)[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "flockcast-transport-"));
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
  for (const source of sources.splice(0)) await source.stop();
  await rm(folder, { recursive: true, force: true });
});

async function start(files?: CertificateFiles, name = "data", port = 0) {
  const dataDir = join(folder, name);
  const listen = { host: "127.0.0.1", port };
  const tls = files ? ({ kind: "files", ...files } as const) : ({ kind: "none" } as const);
  const source = await startSource({ dataDir, listen, tls, log: createLogger("test", "silent") });
  sources.push(source);
  const token = await readFile(join(dataDir, "admin.token"), "utf8");
  return {
    url: source.url,
    port: Number(new URL(source.url).port),
    token,
    identity: readToken(token)!.identity,
    enrolment: await readFile(join(dataDir, "enroll.token"), "utf8"),
    stop: async () => {
      sources = sources.filter((one) => one !== source);
      await source.stop();
    },
  };
}

/** Returns why a request of an administrator failed; null if it was answered. */
async function problemAt(url: string, token: string): Promise<string | null> {
  try {
    await createAdminClient({ sourceUrl: url, token, timeoutMs: 2_000 }).devices();
    return null;
  } catch (error) {
    return contactProblemOf(error);
  }
}

describe("a source is known by its statement", () => {
  test.each([
    ["self-signed, EC", {}],
    ["self-signed, RSA", { key: "rsa" }],
    ["expired", { period: "expired" }],
    ["not valid yet", { period: "future" }],
    ["for another name", { names: "DNS:elsewhere.example" }],
    ["with the address of the source", { names: "IP:127.0.0.1" }],
  ] as const)("with a certificate that is %s", async (_, wanted) => {
    const { url, token } = await start(await makeCertificate(folder, { name: "leaf", ...wanted }));
    expect(await problemAt(url, token)).toBeNull();
  });

  test("with a certificate of a private authority, alone and with its chain", async () => {
    const authority = await makeCertificate(folder, { name: "authority", key: "rsa" });
    const leaf = await makeCertificate(folder, { name: "leaf", authority });
    const alone = await start(leaf, "alone");
    expect(await problemAt(alone.url, alone.token)).toBeNull();
    await withChain(leaf, authority);
    const chained = await start(leaf, "chained");
    expect(await problemAt(chained.url, chained.token)).toBeNull();
  });

  test("reads the statement once, and again only for another certificate", async () => {
    const first = await start(await makeCertificate(folder, { name: "one" }));
    const spkis: string[] = [];
    const onSpki = (spki: string): unknown => spkis.push(spki);
    const transport = new SourceTransport({ url: first.url, identity: first.identity, onSpki });
    for (let count = 0; count < 3; count++) {
      const response = await transport.fetch(`${first.url}/healthz`, {});
      expect([response.status, await response.json()]).toEqual([200, expect.objectContaining({ ok: true })]);
    }
    expect(spkis).toEqual([transport.spki!]);
    await first.stop();
    await start(await makeCertificate(folder, { name: "two" }), "data", first.port);
    expect((await transport.fetch(`${first.url}/healthz`, {})).status).toBe(200);
    expect(spkis).toEqual([spkis[0]!, transport.spki!]);
    expect(spkis[0]).not.toBe(spkis[1]);
    transport.close();
  });

  test("and answers in bodies of any size, compressed and not", async () => {
    const { url, identity, token } = await start(await makeCertificate(folder, { name: "one" }));
    const transport = new SourceTransport({ url, identity });
    const headers = { authorization: `Bearer ${token.trim()}` };
    const api = await (await transport.fetch(`${url}/openapi.json`, { headers })).json();
    expect(Object.keys((api as { paths: object }).paths)).toContain("/v1/identity");
    const missing = await transport.fetch(`${url}/nowhere`, { method: "POST", body: "x".repeat(3_000_000) });
    expect(missing.status).toBe(404);
    const aborted = AbortSignal.abort(new Error("given up"));
    await expect(transport.fetch(`${url}/healthz`, { signal: aborted })).rejects.toThrow("given up");
    transport.close();
  });
});

const secretOf = (token: string): string => readToken(token)!.secret;

describe("no credential reaches", () => {
  test("a server with a certificate of its own", async () => {
    const { token } = await start(await makeCertificate(folder, { name: "real" }));
    await using impostor = await openImpostor(await makeCertificate(folder, { name: "impostor" }));
    expect(await problemAt(impostor.url, token)).toBe("certificate");
    expect(impostor.received()).toContain("GET /v1/identity?nonce=");
    expect(impostor.received()).not.toContain(secretOf(token));
    expect(impostor.received()).not.toMatch(/authorization|\/v1\/devices/i);
  });

  test("a server that passes the statement of the real source on", async () => {
    const real = await start(await makeCertificate(folder, { name: "real" }));
    const own = await makeCertificate(folder, { name: "impostor" });
    await using impostor = await openImpostor(own, real.port);
    for (let count = 0; count < 20; count++) {
      expect(await problemAt(impostor.url, real.token)).toBe("certificate");
    }
    expect(impostor.received()).toContain("GET /v1/identity?nonce=");
    expect(impostor.received()).not.toContain(secretOf(real.token));
  });

  test("a device that knows the source, when another server takes the address", async () => {
    const real = await start(await makeCertificate(folder, { name: "real" }));
    const transport = new SourceTransport({ url: real.url, identity: real.identity });
    const ask = () => transport.fetch(`${real.url}/healthz`, { headers: { authorization: "Bearer SECRET" } });
    expect((await ask()).status).toBe(200);
    await real.stop();
    const own = await makeCertificate(folder, { name: "impostor" });
    await using impostor = await openImpostor(own, null, real.port);
    for (let count = 0; count < 20; count++) await expect(ask()).rejects.toThrow();
    expect(impostor.received()).toContain("GET /v1/identity?nonce=");
    expect(impostor.received()).not.toContain("SECRET");
    transport.close();
  });

  test.each([true, false])("another source (TLS: %p)", async (hasTls) => {
    const tls = hasTls ? await makeCertificate(folder, { name: "one" }) : undefined;
    const [one, other] = [await start(tls, "one"), await start(tls, "other")];
    expect(await problemAt(other.url, one.token)).toBe("identity");
    expect(await problemAt(one.url, one.token)).toBeNull();
  });
});

/** Redirects every request but that for the statement, which the real source answers. */
async function openRedirecting(real: { url: string }, to: string, tls?: CertificateFiles) {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    ...(tls && { tls: { cert: Bun.file(tls.certFile), key: Bun.file(tls.keyFile) } }),
    fetch: async (request) => {
      const { pathname, search } = new URL(request.url);
      if (pathname !== "/v1/identity") return Response.redirect(`${to}${pathname}`, 307);
      const answer = await fetch(`${real.url}/v1/identity${search}`, {
        tls: { rejectUnauthorized: false },
      });
      return new Response(await answer.text());
    },
  });
  cleanups.push(() => server.stop(true));
  return `${tls ? "https" : "http"}://127.0.0.1:${server.port}`;
}

describe("no credential follows", () => {
  test.each([true, false])("a redirect of the source (TLS: %p)", async (hasTls) => {
    const tls = hasTls ? await makeCertificate(folder, { name: "real" }) : undefined;
    const real = await start(tls);
    await using target = await openImpostor(await makeCertificate(folder, { name: "target" }));
    const url = await openRedirecting(real, target.url, tls);
    const client = createAdminClient({ sourceUrl: url, token: real.token, timeoutMs: 5_000 });
    await expect(client.devices()).rejects.toMatchObject({
      kind: "refused",
      message: expect.stringContaining(`redirects GET /v1/devices?limit=1000 to ${target.url}/v1/devices`),
    });
    const transport = new SourceTransport({ url, identity: real.identity });
    const headers = { authorization: "Bearer SECRET" };
    expect((await transport.fetch(`${url}/v1/packages/a/content`, { headers })).status).toBe(307);
    expect(target.received()).toBe("");
    transport.close();
  });
});

test.each([
  "http://192.0.2.7:7443",
  "http://source.example",
  "http://[2001:db8::7]:7443",
  "http://0.0.0.0:1",
])("nothing is sent to %s, unless plain HTTP is allowed", async (url) => {
  const { identity, token, enrolment } = await start();
  const transport = new SourceTransport({ url, identity });
  const refused = { problem: "plain-http", message: expect.stringContaining(`${url} has no TLS`) };
  await expect(transport.fetch(`${url}/v1/devices`, {})).rejects.toMatchObject(refused);
  await expect(transport.statement()).rejects.toMatchObject(refused);
  expect(await problemAt(url, token)).toBe("plain-http");
  const request = { token: enrolment, hostname: "h", os: "linux", arch: "x64", agentVersion: "0.1.0" };
  await expect(enrollDevice(url, request)).rejects.toMatchObject({ kind: "unauthorized" });
  transport.close();
});

test("an address of this machine needs no permission for plain HTTP", async () => {
  const { port, identity, token } = await start();
  for (const host of ["127.0.0.1", "localhost"]) {
    const transport = new SourceTransport({ url: `http://${host}:${port}`, identity });
    expect((await transport.statement()).tlsSpki).toBeNull();
    transport.close();
    expect(await problemAt(`http://${host}:${port}`, token)).toBeNull();
  }
});

test("names the reason for which a source is not reached", async () => {
  const { token, url } = await start();
  expect(await problemAt("https://nowhere.invalid:7443", token)).toBe("not-resolvable");
  expect(await problemAt("https://127.0.0.1:1", token)).toBe("connection-refused");
  expect(await problemAt("http://127.0.0.1:1", token)).toBe("connection-refused");
  const silent = createServer(() => {});
  await new Promise<void>((done) => silent.listen(0, "127.0.0.1", done));
  const address = `https://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  expect(await problemAt(address, token)).toBe("timed-out");
  silent.close();
  const other = token.trim().replace(/^fc_p[^.]+/, `fc_p${"x".repeat(43)}`);
  expect(await problemAt(url, other)).toBe("credential");
}, 30_000);
