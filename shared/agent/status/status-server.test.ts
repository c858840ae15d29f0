/** The private channel of an agent and its page for Prometheus, over real sockets. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { asStranger, rootTest } from "../../../tests/root-test.ts";
import { createLogger } from "../../log.ts";
import { AgentMetrics } from "./metrics.ts";
import { parseMetricsAddress, serveMetrics } from "./metrics-server.ts";
import { askPage, askStatus, StatusServer, type AgentStatus } from "./status-server.ts";

const status = {
  version: "1",
  pid: 1,
  deviceId: "d",
  hostname: "h",
  source: "s",
  connected: true,
  lostContact: null,
  trust: { version: 0, root: "", embedded: false, freshUntilMs: null, isStale: true, refused: [] },
  approval: null,
  subnetId: null,
  setting: null,
  interface: null,
  interfaceWhy: "",
  conditions: null,
  group: "g",
  multicastProblem: "",
  receiveBufferBytes: 0,
  lan: {
    framesHeard: 0,
    framesSent: 0,
    receiveCalls: 0,
    messagesReceived: 0,
    kernelDrops: null,
    dropped: {},
  },
  exchange: { port: 0, portProblem: "", chunksSent: 0, bytesSent: 0 },
  wakes: { sent: 0, leftOut: 0, refused: null, lastAtMs: null, lastMacs: [] },
  tasks: [],
} satisfies AgentStatus;

let dataFolder = "";
let server: StatusServer | null = null;
const metrics = new AgentMetrics();
const start = async (socketPathBytes?: number): Promise<void> => {
  server = await StatusServer.start({ dataFolder, status: () => status, metrics }, socketPathBytes);
};
const modeOf = (name: string): number => statSync(join(dataFolder, name)).mode & 0o777;

beforeEach(() => {
  dataFolder = mkdtempSync(join(tmpdir(), "flockcast-status-"));
});
afterEach(async () => {
  await server?.close();
  server = null;
  rmSync(dataFolder, { recursive: true, force: true });
});

/** Returns the HTTP status of a request to loopback with these headers. */
const statusOf = (port: number, path: string, headers: Record<string, string>): Promise<number> =>
  new Promise((resolve, reject) => {
    http
      .get({ host: "127.0.0.1", port, path, headers }, (response) => {
        response.resume();
        resolve(response.statusCode!);
      })
      .on("error", reject);
  });

test("answers on a socket that only its user may open, and removes it at the end", async () => {
  await start();
  expect([modeOf("agent.sock"), modeOf("agent.json")]).toEqual([0o600, 0o600]);
  expect(JSON.parse(readFileSync(join(dataFolder, "agent.json"), "utf8"))).toEqual({
    pid: process.pid,
    by: "socket",
  });
  expect(await askStatus(dataFolder)).toEqual(status);
  expect(await askPage(dataFolder, "/metrics")).toContain("flockcast_wan_bytes_total");
  await server!.close();
  expect(["agent.sock", "agent.json"].filter((name) => existsSync(join(dataFolder, name)))).toEqual([]);
  expect(await askStatus(dataFolder)).toBeNull();
});

test("takes the place of the socket of an agent that was killed", async () => {
  await start();
  await start();
  expect(await askStatus(dataFolder)).toEqual(status);
});

rootTest("another user cannot ask, also in a folder that was opened by hand", async () => {
  await start();
  chmodSync(dataFolder, 0o755);
  const anybody = net.createServer().listen(join(dataFolder, "public.sock"));
  await once(anybody, "listening");
  chmodSync(join(dataFolder, "public.sock"), 0o666);
  const attempts = ["connect:public.sock", "connect:agent.sock", "read:agent.json"];
  expect(Object.values(await asStranger(dataFolder, ...attempts))).toEqual(["done", "EACCES", "EACCES"]);
  anybody.close();
});

test("asks for a secret where the path is too long for a socket", async () => {
  dataFolder = join(dataFolder, "long".repeat(30));
  mkdirSync(dataFolder);
  await start();
  const { port, secret } = JSON.parse(readFileSync(join(dataFolder, "agent.json"), "utf8"));
  expect(modeOf("agent.json")).toBe(0o600);
  expect(await askStatus(dataFolder)).toEqual(status);
  const right = { authorization: `Bearer ${secret}` };
  const asked = [
    right,
    {},
    { authorization: `Bearer ${secret}x` },
    { ...right, host: "evil.example" },
    { ...right, origin: "http://evil.example" },
  ].map((headers) => statusOf(port, "/status", headers));
  expect(await Promise.all(asked)).toEqual([200, 401, 401, 403, 403]);
});

test("serves metrics on loopback, and not to web pages", async () => {
  const log = createLogger("test", "silent");
  const serving = serveMetrics(parseMetricsAddress("127.0.0.1:0"), metrics, log)!;
  const port = serving.port!;
  const ask = (path: string, headers: Record<string, string> = {}) => statusOf(port, path, headers);
  expect(await ask("/metrics")).toBe(200);
  expect(await ask("/metrics", { host: `localhost:${port}` })).toBe(200);
  expect(await ask("/metrics", { host: "[::1]:9" })).toBe(200);
  expect(await ask("/status")).toBe(404);
  for (const host of ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "10.0.0.1"])
    expect([host, await ask("/metrics", { host })]).toEqual([host, 403]);
  expect(await ask("/metrics", { origin: "http://localhost" })).toBe(403);
  expect(serveMetrics({ host: "127.0.0.1", port }, metrics, log)).toBeNull();
  await serving.stop(true);
});

test.each(["0.0.0.0:9767", "10.0.0.1:9767", "example.com:1", "127.0.0.1", "127.0.0.1:99999", "::1:9"])(
  "refuses to serve metrics on %s",
  (text) => expect(() => parseMetricsAddress(text)).toThrow(`"${text}" is not a loopback address`),
);

test("takes every address of loopback for metrics", () => {
  expect(parseMetricsAddress("[::1]:9767")).toEqual({ host: "::1", port: 9_767 });
  expect(parseMetricsAddress("localhost:0")).toEqual({ host: "localhost", port: 0 });
  expect(parseMetricsAddress("127.1.2.3:65535")).toEqual({ host: "127.1.2.3", port: 65_535 });
});
