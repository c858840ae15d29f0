/**
 * Variables of the environment that are meant to weaken TLS, or to lead connections elsewhere: real
 * programs, and an impostor that records every byte.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { enrollTokenOf } from "../scripts/rig/deployment.ts";
import { logTail, runToEnd } from "../scripts/rig/process.ts";
import { programsFromSource } from "../scripts/rig/programs.ts";
import { makeCertificate } from "../shared/api/testing-certificates.ts";
import { openImpostor } from "../shared/api/testing-impostor.ts";
import { readToken } from "../shared/api/token.ts";
import { createCleanups } from "./cleanups.ts";
import type { Publication } from "../shared/api/schema/publishing.ts";
import { until, type Harness } from "./harness.ts";

const { addCleanup, open } = createCleanups();
const waitMs = 90_000;

/** A TCP server that records what clients send, and answers each with `answer`. */
async function openServer(answer: (socket: Socket, sent: Buffer) => void) {
  const connections = new Set<Socket>();
  let received = "";
  const server = createServer((socket) => {
    connections.add(socket);
    socket.on("error", () => {}).on("close", () => connections.delete(socket));
    socket.on("data", (sent: Buffer) => {
      received += sent.toString("latin1");
      answer(socket, sent);
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  addCleanup(async () => {
    for (const socket of connections) socket.destroy();
    await new Promise((done) => server.close(done));
  });
  return { port: (server.address() as AddressInfo).port, received: () => received };
}

/** A proxy that leads every tunnel to one port, and every plain request nowhere. */
async function openProxy(target: number) {
  const tunnels = new WeakMap<Socket, Socket>();
  return openServer((socket, sent) => {
    const tunnel = tunnels.get(socket);
    if (tunnel) {
      tunnel.write(sent);
      return;
    }
    if (!sent.toString("latin1").startsWith("CONNECT ")) {
      socket.end("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
      return;
    }
    const real = connect(target, "127.0.0.1", () => socket.write("HTTP/1.1 200 OK\r\n\r\n"));
    real.on("error", () => socket.destroy()).on("data", (answer) => socket.write(answer));
    socket.on("close", () => real.destroy());
    tunnels.set(socket, real);
  });
}

async function secretsOf(harness: Harness): Promise<string[]> {
  const admin = await readFile(join(harness.source.data, "admin.token"), "utf8");
  const enroll = await enrollTokenOf(harness.source);
  return [readToken(admin)!.secret, readToken(enroll)!.secret, "uthorization", "/v1/devices", "/v1/agent"];
}

/** Runs an enrolment and an administrator's command, and returns their messages. */
async function callBoth(harness: Harness, url: string, env: Readonly<Record<string, string>>) {
  const data = join(harness.folder, `new-${Math.random()}`);
  const enroll = [
    "--enroll",
    await enrollTokenOf(harness.source),
    "--data",
    data,
    "--interface",
    "127.0.0.1",
  ];
  const token = ["--token-file", join(harness.source.data, "admin.token")];
  const run = (role: "peer" | "source", ...words: readonly string[]) =>
    runToEnd([...programsFromSource.commandOf(role), ...words, "--source", url], { env });
  return Promise.all([run("peer", "run", ...enroll), run("source", "device", "list", ...token)]);
}

test("no variable of the environment has a program send a token to an impostor", async () => {
  const folder = await mkdtemp(join(tmpdir(), "flockcast-environment-"));
  addCleanup(() => rm(folder, { recursive: true, force: true }));
  const own = await makeCertificate(folder, { name: "impostor", names: "IP:127.0.0.1,DNS:localhost" });
  const harness = await open();
  const port = Number(new URL(harness.source.url).port);
  await using impostor = await openImpostor(own, port);
  const proxy = await openProxy(Number(new URL(impostor.url).port));
  const trust = { NODE_EXTRA_CA_CERTS: own.certFile, SSL_CERT_FILE: own.certFile };
  const through = `http://127.0.0.1:${proxy.port}`;
  const proxies = { HTTPS_PROXY: through, https_proxy: through, ALL_PROXY: through };
  for (const [url, env] of [
    [impostor.url, { NODE_TLS_REJECT_UNAUTHORIZED: "0" }],
    [impostor.url, trust],
    [harness.source.url, proxies],
    [harness.source.url, { ...proxies, ...trust, NODE_TLS_REJECT_UNAUTHORIZED: "0" }],
  ] as const) {
    for (const { status, stderr } of await callBoth(harness, url, env))
      expect([status, stderr]).toEqual([1, expect.stringContaining("is not the source's own")]);
  }
  expect(proxy.received()).toContain("CONNECT 127.0.0.1:");
  expect(impostor.received()).toContain("GET /v1/identity?nonce=");
  for (const secret of await secretsOf(harness)) expect(impostor.received()).not.toContain(secret);
  expect(await harness.client.devices()).toEqual([]);
}, 120_000);

test("a TLS proxy of the environment gets credentials only with a certificate that the system trusts", async () => {
  const harness = await open();
  const own = await makeCertificate(harness.folder, { name: "proxy", names: "DNS:elsewhere.example" });
  await using proxy = await openImpostor(own);
  const through = proxy.url.replace("https://", "https://user:password@");
  const env = { HTTP_PROXY: through, HTTPS_PROXY: through, NODE_TLS_REJECT_UNAUTHORIZED: "0" };
  const words = ["--source", harness.source.url, "--token-file", join(harness.source.data, "admin.token")];
  const publish = ["publish", "http://192.0.2.1/a", "--name", "a", "--version", "1"];
  for (const command of [["device", "list"], publish]) {
    const call = [...programsFromSource.commandOf("source"), ...command, ...words];
    const { status, stderr } = await runToEnd(call, { env });
    expect([status, stderr]).toEqual([1, expect.stringMatching(/self.signed certificate/)]);
  }
  expect(proxy.received()).toBe("");
}, 60_000);

test("a proxy before the source needs a certificate that the system trusts, whatever the environment", async () => {
  const folder = await mkdtemp(join(tmpdir(), "flockcast-environment-"));
  addCleanup(() => rm(folder, { recursive: true, force: true }));
  const own = await makeCertificate(folder, { name: "untrusted", names: "IP:127.0.0.1" });
  const harness = await open({ sourceArgs: ["--no-tls"] });
  const port = Number(new URL(harness.source.url).port);
  await using impostor = await openImpostor(own, port, 0, "plain");
  const env = { NODE_TLS_REJECT_UNAUTHORIZED: "0" };
  for (const { status, stderr } of await callBoth(harness, impostor.url, env))
    expect([status, stderr]).toEqual([1, expect.stringContaining("the system does not trust it")]);
  expect(impostor.received()).toContain("GET /v1/identity?nonce=");
  for (const secret of await secretsOf(harness)) expect(impostor.received()).not.toContain(secret);
}, 60_000);

test("a source without TLS on this machine is reached without the proxies of the environment", async () => {
  const harness = await open({ sourceArgs: ["--no-tls"] });
  const proxy = await openProxy(1);
  const through = `http://127.0.0.1:${proxy.port}`;
  const env = { HTTP_PROXY: through, http_proxy: through, ALL_PROXY: through };
  const peer = await harness.startPeer({ env });
  await until(
    () => logTail(peer.program, 15),
    waitMs,
    async () => (await peer.status()).connected || null,
  );
  const words = ["--source", harness.source.url, "--token-file", join(harness.source.data, "admin.token")];
  const list = [...programsFromSource.commandOf("source"), "device", "list", ...words];
  const { status, stdout } = await runToEnd(list, { env });
  expect([status, stdout]).toEqual([0, expect.stringContaining(peer.id)]);
  expect(proxy.received()).toBe("");
}, 60_000);

test("a web site with a wrong certificate is refused, also with NODE_TLS_REJECT_UNAUTHORIZED=0", async () => {
  const harness = await open();
  const env = { NODE_TLS_REJECT_UNAUTHORIZED: "0" };
  const own = await makeCertificate(harness.folder, { name: "site", names: "DNS:elsewhere.example" });
  const path = await harness.makeFile("tool.bin", 100_000);
  let requests = 0;
  const tls = { cert: Bun.file(own.certFile), key: Bun.file(own.keyFile) };
  const site = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    tls,
    fetch: () => {
      requests++;
      return new Response(Bun.file(path));
    },
  });
  addCleanup(() => site.stop(true));
  const url = `https://127.0.0.1:${site.port}/tool.bin`;
  const words = ["publish", url, "--name", "tool", "--version", "1", "--source", harness.source.url];
  const token = ["--token-file", join(harness.source.data, "admin.token")];
  const published = await runToEnd([...programsFromSource.commandOf("source"), ...words, ...token], { env });
  expect([published.status, published.stderr]).toEqual([1, expect.stringContaining("certificate")]);
  const peer = await harness.startPeer({ env });
  const packageId = await harness.publish(path, { name: "tool", version: "1", url });
  const taskId = await harness.createTask(packageId);
  await harness.waitForTask(taskId, ({ deviceList }) =>
    deviceList.some(
      ({ deviceId, reasons }) => deviceId === peer.id && JSON.stringify(reasons).includes("ertificate"),
    ),
  );
  expect(requests).toBe(0);
}, 90_000);

test("a source reads a package by URL through the proxy of its environment, and no inner address", async () => {
  const asked: string[] = [];
  const content = new Uint8Array(100_000).fill(7);
  await using site = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      asked.push(request.url);
      return new Response(content);
    },
  });
  const through = `http://127.0.0.1:${site.port}`;
  const harness = await open({ env: { HTTP_PROXY: through, http_proxy: through } });
  const token = (await readFile(join(harness.source.data, "admin.token"), "utf8")).trim();
  const call = async (path: string, json?: unknown): Promise<Publication> => {
    const response = await fetch(`${harness.source.url}/v1/publications${path}`, {
      method: json === undefined ? "GET" : "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      tls: { rejectUnauthorized: false },
    });
    return (await response.json()) as Publication;
  };
  const publish = async (url: string, version: string): Promise<Publication> => {
    const { id } = await call("", { url, name: "tool", version });
    return until(
      () => `${url} is still read`,
      waitMs,
      async () => {
        const now = await call(`/${id}`);
        return now.endedAtMs === null ? null : now;
      },
    );
  };
  // Only the proxy knows this name.
  const done = await publish("http://files.invalid/tool.bin", "1");
  expect(done).toMatchObject({ state: "done", doneBytes: content.length });
  expect(asked).toEqual(["http://files.invalid/tool.bin"]);
  const inner = await publish("http://169.254.169.254/latest", "2");
  expect(inner.problem?.error).toContain("is not public");
  expect(asked).toHaveLength(1);
}, 60_000);
