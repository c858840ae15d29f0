/**
 * Certificates and addresses of the source change, and no device is touched: real processes with
 * certificates of openssl, and impostors that record every byte.
 */
import { Database } from "bun:sqlite";
import { copyFile, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { createServer, connect, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { metricsOf, startDevice, startSource } from "../scripts/rig/deployment.ts";
import { logTail } from "../scripts/rig/process.ts";
import { programsFromSource } from "../scripts/rig/programs.ts";
import { makeCertificate, withChain, type CertificateFiles } from "../shared/api/testing-certificates.ts";
import { openImpostor } from "../shared/api/testing-impostor.ts";
import { openLedgerReadOnly } from "../shared/cache/index.ts";
import { createCleanups } from "./cleanups.ts";
import { until, type Harness, type Peer } from "./harness.ts";
import { askStatus, type AgentStatus } from "../shared/agent/status/status-server.ts";

const { addCleanup, open } = createCleanups();
const waitMs = 90_000;

async function openFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "flockcast-certificates-"));
  addCleanup(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Replaces the files of the source in two renames, as programs that renew certificates do. */
async function replace(used: CertificateFiles, by: CertificateFiles): Promise<void> {
  for (const file of ["keyFile", "certFile"] as const) {
    await copyFile(by[file], `${used[file]}.new`);
    await rename(`${used[file]}.new`, used[file]);
  }
}

/** Opens a deployment with TLS, and the folder in which its certificates are made. */
async function openSecure() {
  const folder = await openFolder();
  const used = await makeCertificate(folder, { name: "used" });
  const harness = await open({ sourceArgs: ["--tls-cert", used.certFile, "--tls-key", used.keyFile] });
  const make = (name: string, more: Omit<Parameters<typeof makeCertificate>[1], "name"> = {}) =>
    makeCertificate(folder, { name, ...more });
  return { harness, used, make, folder };
}

const untilStatus = (peer: Peer, is: (status: AgentStatus) => boolean): Promise<AgentStatus> =>
  until(
    async () => `the status stays ${JSON.stringify(await peer.status())}\n${await logTail(peer.program, 15)}`,
    waitMs,
    async () => {
      const status = await peer.status();
      return is(status) ? status : null;
    },
  );
const isAt = (url: string) => (status: AgentStatus) => status.source === url && isWell(status);
const isWell = ({ connected, lostContact }: AgentStatus): boolean => connected && lostContact === null;

let versions = 0;
/** Publishes a package, and waits until the device has it and has run a command. */
async function expectTaskRuns(harness: Harness, peer: Peer): Promise<void> {
  const version = String(++versions);
  const file = await harness.makeFile(`tool-${version}.bin`, 300_000);
  const packageId = await harness.publish(file, { name: "tool", version });
  const taskId = await harness.createTask(packageId, { action: "run", command: "echo ran" });
  await harness.waitUntilComplete(taskId, [peer], waitMs);
  expect(await harness.copyError(peer, file, "tool", version)).toBeNull();
}

const identityOf = (peer: Peer) => {
  const ledger = openLedgerReadOnly(peer.data);
  try {
    return ledger.identity()!;
  } finally {
    ledger.close();
  }
};

/** Passes connections on to the port of a source, as another address of it. */
async function forward(port: () => number): Promise<string> {
  const server = createServer((socket) => {
    const real = connect(port(), "127.0.0.1");
    socket.pipe(real).on("error", () => socket.destroy());
    real.pipe(socket).on("error", () => real.destroy());
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  addCleanup(() => server.close());
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
const portOf = (url: string): number => Number(new URL(url).port);

test("a device stays connected through every kind of renewed certificate", async () => {
  const { harness, used, make } = await openSecure();
  const peer = await harness.startPeer();
  await expectTaskRuns(harness, peer);
  const authority = await make("authority", { key: "rsa" });
  const chained = await make("chained", { authority });
  await withChain(chained, authority);
  const renewed = [
    await make("self-signed", { key: "rsa" }),
    await make("leaf", { authority }),
    chained,
    await make("expired", { period: "expired" }),
    await make("future", { period: "future", names: "DNS:elsewhere.example" }),
  ];
  for (const certificate of renewed) {
    const before = identityOf(peer).tlsSpki;
    await harness.source.program.stop();
    await replace(used, certificate);
    await harness.source.restart();
    await until(
      () => "the device does not know the new certificate",
      waitMs,
      () => identityOf(peer).tlsSpki !== before || null,
    );
    await untilStatus(peer, isWell);
    expect((await harness.tryAdmin("device", "list")).status).toBe(0);
  }
  await expectTaskRuns(harness, peer);
  expect(await harness.client.devices()).toHaveLength(1);
}, 240_000);

test("the source takes changed certificate files while it runs, and keeps its own when they are wrong", async () => {
  const { harness, used, make } = await openSecure();
  const peer = await harness.startPeer();
  const logged = async () => readFile(`${harness.source.data}.log`, "utf8");
  const first = identityOf(peer).tlsSpki;
  await copyFile((await make("other")).keyFile, used.keyFile);
  await until(logged, waitMs, async () => (await logged()).includes("cannot be used") || null);
  expect((await harness.tryAdmin("device", "list")).status).toBe(0);
  await replace(used, await make("renewed"));
  await until(logged, waitMs, async () => (await logged()).includes("certificate was replaced") || null);
  // Connections that were open live on.
  expect((await peer.status()).connected).toBe(true);
  expect(identityOf(peer).tlsSpki).toBe(first);
  await expectTaskRuns(harness, peer);
  await peer.stop();
  peer.restart();
  await untilStatusOfRestarted(peer, isWell);
  expect(identityOf(peer).tlsSpki).not.toBe(first);
}, 180_000);

/** As `untilStatus`, for an agent that may not answer yet. */
const untilStatusOfRestarted = (peer: Peer, is: (status: AgentStatus) => boolean): Promise<AgentStatus> =>
  until(
    async () => `the status is not as expected: ${await readFile(`${peer.data}.log`, "utf8")}`,
    waitMs,
    async () => {
      const status = await peer.status().catch(() => null);
      return status !== null && is(status) ? status : null;
    },
  );

test("an impostor at the address of the source gets no credential, and status says why", async () => {
  const { harness, make } = await openSecure();
  const peer = await harness.startPeer();
  const { credential } = identityOf(peer);
  const token = (await readFile(join(harness.source.data, "admin.token"), "utf8")).trim();
  const port = portOf(harness.source.url);
  await harness.source.program.stop();
  await untilStatus(peer, ({ lostContact }) => lostContact?.why === "connection-refused");
  {
    await using impostor = await openImpostor(await make("impostor"), null, port);
    const { lostContact } = await untilStatus(peer, (status) => status.lostContact?.why === "certificate");
    expect(lostContact!.text).toContain("does not prove to be the source");
    const output = await harness.tryAdmin("device", "list");
    expect([output.status, output.stderr]).toEqual([1, expect.stringContaining("does not prove")]);
    expect(impostor.received()).toContain("GET /v1/identity");
    for (const secret of [credential, token.split(".")[1]!, "uthorization", "check-in"])
      expect(impostor.received()).not.toContain(secret);
    const shown = await harness.run("peer", "status", "--data", peer.data);
    expect(shown.stdout).toMatch(/not connected, retrying; certificate since .*does not prove/);
  }
  await harness.source.restart();
  await untilStatus(peer, isWell);
  await expectTaskRuns(harness, peer);
}, 180_000);

test("status names another source at the address, and a device that the source does not know", async () => {
  const { harness, make } = await openSecure();
  const peer = await harness.startPeer();
  await harness.source.program.stop();
  const own = await make("other");
  const other = await startSource({
    programs: programsFromSource,
    data: join(harness.folder, "other"),
    listen: new URL(harness.source.url).host,
    args: ["--tls-cert", own.certFile, "--tls-key", own.keyFile],
  });
  addCleanup(() => other.program.stop("SIGKILL"));
  await untilStatus(peer, ({ lostContact }) => lostContact?.why === "identity");
  await other.program.stop();
  const catalog = new Database(join(harness.source.data, "catalog.db"));
  catalog.run("UPDATE devices SET credential_sha256 = 'gone'");
  catalog.close();
  await harness.source.restart();
  const { lostContact } = await untilStatus(peer, (status) => status.lostContact?.why === "credential");
  expect(lostContact!.text).toContain("the source does not know this device");
  const metrics = await metricsOf(harness.source);
  expect(metrics).toMatch(/flockcast_source_refused_total\{why="unknown-credential"\} [1-9]/);
  const log = await readFile(`${harness.source.data}.log`, "utf8");
  expect(log.match(/"why":"unknown-credential","address":"127/g)).toHaveLength(1);
}, 180_000);

test("devices follow an announced move, before and after the source has moved", async () => {
  const { harness } = await openSecure();
  const [early, late] = [
    await harness.startPeer({ name: "early" }),
    await harness.startPeer({ name: "late" }),
  ];
  const oldUrl = harness.source.url;
  // While both addresses work.
  let port = portOf(oldUrl);
  const second = await forward(() => port);
  expect(await harness.source.admin("source", "move", "--to", second)).toContain(`announced: ${second}`);
  for (const peer of [early, late]) await untilStatus(peer, isAt(second));
  expect(identityOf(early).formerUrls).toEqual([oldUrl]);
  expect(await harness.source.admin("source", "move")).toContain(second);
  // The old address stays in the command line of the agent's service.
  await early.stop();
  early.restart();
  await untilStatusOfRestarted(early, isAt(second));
  await expectTaskRuns(harness, early);
  // The source is announced elsewhere, stops, and starts there: the usual move to another machine.
  const spare = await forward(() => 1);
  const third = spare.replace(/\d+$/, String(portOf(await freeUrl())));
  const announced = await harness.tryAdmin("source", "move", "--to", third);
  expect([announced.status, announced.stderr]).toEqual([
    0,
    expect.stringContaining("does not answer there yet"),
  ]);
  await until(
    () => "the device did not note the announcement",
    waitMs,
    () => (identityOf(late).announcedUrl === third && identityOf(early).announcedUrl === third) || null,
  );
  await harness.source.program.stop();
  port = 1;
  harness.source.url = third;
  await harness.source.restart();
  await harness.reconnect();
  for (const peer of [early, late]) await untilStatus(peer, isAt(third));
  await expectTaskRuns(harness, late);
  expect(await harness.source.admin("source", "move", "--cancel")).toContain("no other address");
}, 240_000);

/** Returns an address at which nobody listens. */
async function freeUrl(): Promise<string> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return `https://127.0.0.1:${port}`;
}

test("an announcement that is taken back, or that leads to another source, moves no device", async () => {
  const { harness, make, used } = await openSecure();
  const peer = await harness.startPeer();
  const other = await startSource({
    programs: programsFromSource,
    data: join(harness.folder, "other"),
    listen: "127.0.0.1:0",
    args: ["--tls-cert", used.certFile, "--tls-key", used.keyFile],
  });
  addCleanup(() => other.program.stop("SIGKILL"));
  await using impostor = await openImpostor(await make("impostor"), portOf(harness.source.url));
  const logged = () => readFile(`${peer.data}.log`, "utf8");
  for (const [url, why] of [
    [other.url, "Another source answers"],
    [impostor.url, "not the source's own"],
  ] as const) {
    await harness.tryAdmin("source", "move", "--to", url);
    await until(logged, waitMs, async () => (await logged()).includes(why) || null);
    expect(await peer.status()).toMatchObject({ source: harness.source.url, connected: true });
  }
  expect(impostor.received()).not.toContain(identityOf(peer).credential);
  const withoutTls = await harness.tryAdmin("source", "move", "--to", "http://127.0.0.1:1");
  expect([withoutTls.status, withoutTls.stderr]).toEqual([1, expect.stringContaining("has no TLS")]);
  await harness.source.admin("source", "move", "--to", harness.source.url);
  await until(logged, waitMs, () => identityOf(peer).announcedUrl === null || null);
  await expectTaskRuns(harness, peer);
}, 180_000);

/** Starts an enrolled device whose source does not answer yet. */
async function startEarly(spec: { name: string; data: string; sourceUrl: string; group: string }) {
  const fixed = { programs: programsFromSource, enrollToken: null, interfaceAddress: "127.0.0.1" };
  const device = startDevice({ ...fixed, ...spec });
  addCleanup(() => device.kill());
  return device;
}

test("an enrolled device takes another address of its source from --source alone", async () => {
  const { harness } = await openSecure();
  const first = await harness.startPeer({ name: "moved" });
  await first.stop();
  await harness.source.program.stop();
  harness.source.url = await freeUrl();
  await harness.source.restart();
  await harness.reconnect();
  const words = { name: "moved", data: first.data, sourceUrl: harness.source.url };
  const again = await harness.startPeer({ ...words, enrollToken: null });
  expect(again.id).toBe(first.id);
  await untilStatusOfRestarted(again, isWell);
  await again.stop();
  // The token of the same source changes nothing.
  const enrolled = await harness.startPeer(words);
  expect(enrolled.id).toBe(first.id);
  await untilStatusOfRestarted(enrolled, isWell);
  // The agent is started before the source answers at its new address.
  await enrolled.stop();
  await harness.source.program.stop();
  const before = harness.source.url;
  harness.source.url = await freeUrl();
  const early = await startEarly({ ...words, sourceUrl: harness.source.url, group: harness.group });
  const status = () => askStatus(first.data);
  await until(
    () => logTail(early.program),
    waitMs,
    async () => (await status())?.lostContact?.why === "connection-refused" || null,
  );
  expect((await status())!.source).toBe(before);
  await harness.source.restart();
  await until(
    () => logTail(early.program),
    waitMs,
    async () => {
      const found = await status();
      return (found !== null && isAt(harness.source.url)(found)) || null;
    },
  );
  expect(identityOf(enrolled).formerUrls).toContain(before);
}, 180_000);

/** A TLS proxy with a certificate of its own before a source without TLS. */
async function openTlsProxy(certificate: CertificateFiles, target: number, port = 0) {
  const [cert, key] = await Promise.all([readFile(certificate.certFile), readFile(certificate.keyFile)]);
  const sockets = new Set<TLSSocket>();
  const server = createTlsServer({ cert, key }, (socket) => {
    sockets.add(socket);
    const real = connect(target, "127.0.0.1");
    socket.pipe(real).on("error", () => socket.destroy());
    real.pipe(socket).on("error", () => real.destroy());
  }).on("tlsClientError", () => {});
  await new Promise<void>((done) => server.listen(port, "127.0.0.1", done));
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise((done) => server.close(done));
  };
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}

test("a proxy that ends TLS before the source needs a certificate that the system trusts, valid today", async () => {
  const folder = await openFolder();
  const authority = await makeCertificate(folder, { name: "authority" });
  const names = "IP:127.0.0.1";
  const good = await makeCertificate(folder, { name: "good", authority, names });
  const expired = await makeCertificate(folder, { name: "expired", authority, names, period: "expired" });
  const harness = await open({ sourceArgs: ["--no-tls"] });
  const proxy = await openTlsProxy(good, portOf(harness.source.url));
  const env = { NODE_EXTRA_CA_CERTS: authority.certFile };
  const peer = await harness.startPeer({ sourceUrl: proxy.url, env });
  await untilStatus(peer, isWell);
  await expectTaskRuns(harness, peer);
  await proxy.close();
  const late = await openTlsProxy(expired, portOf(harness.source.url), portOf(proxy.url));
  addCleanup(late.close);
  // The agent trusted the first certificate without a statement, and asks for one now.
  const { lostContact } = await untilStatus(peer, (status) => status.lostContact?.why === "clock");
  expect(lostContact!.text).toContain("correct the clock, or renew");
}, 180_000);
