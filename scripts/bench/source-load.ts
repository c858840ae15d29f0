/**
 * `bench source`: processor time, memory and disk of a source for each device, for docs/SIZING.md.
 * The source is the real program with TLS, and the devices are their requests only. A device of the
 * bench states its own public address through `--trusted-proxy`.
 */
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import * as v from "valibot";
import { enrollResponseSchema } from "../../shared/api/schema/agent.ts";
import { inventoryOf, reportOf } from "../../shared/source/app-fixture.ts";
import { readUsage } from "../lab/usage.ts";
import type { Cleanup } from "../rig/cleanup.ts";
import { startSource, type Source } from "../rig/deployment.ts";
import { stopAll } from "../rig/process.ts";
import { programsFromSource } from "../rig/programs.ts";
import { alignTable } from "../rig/table.ts";

export type SourceLoadOptions = {
  readonly devices: number;
  /** MB of the package that is sent, 10^6 bytes. */
  readonly size: number;
  /** Heartbeats for which the connected devices are watched. */
  readonly heartbeats: number;
};
export type SourceLoad = {
  /** Milliseconds of processor time of the source. */
  readonly enrolmentMs: number;
  readonly firstCheckInMs: number;
  readonly checkInMs: number;
  readonly newConnectionMs: number;
  readonly reportMs: number;
  /** For each connected device and heartbeat; null: not watched. */
  readonly heartbeatMs: number | null;
  /** Bytes of the bodies of a check-in: request and answer. */
  readonly checkInBytes: readonly [number, number];
  readonly sentMbPerCpuSecond: number;
  /** Resident memory before the first stream, and of each connected device. */
  readonly residentMb: number;
  readonly streamKb: number;
  /** Bytes of catalog.db for each device with one report. */
  readonly catalogBytes: number;
};

type Device = { readonly credential: string; readonly address: string; readonly name: string };

/** Devices that one token may enrol at once, less some. */
const devicesPerToken = 400;
const together = 8;
const settleMs = 2_000;
/** Interval of the heartbeats of shared/source/change-hub.ts. */
const heartbeatEveryMs = 20_000;

/** Calls a function for each item, some at a time. */
async function forEach<T>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      await work(items[index]!, index);
    }
  };
  await Promise.all(Array.from({ length: together }, worker));
}

const addressOf = (index: number): string => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`;

/** Sends a request of a device, and returns the answer's text. @throws Error with a refusal */
async function send(
  source: Source,
  device: Pick<Device, "address"> & { readonly credential: string | null },
  path: string,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<string> {
  const answer = await fetch(`${source.url}/v1/agent/${path}`, {
    method: "POST",
    body,
    headers: {
      "content-type": "application/json",
      "x-forwarded-for": device.address,
      ...(device.credential === null ? {} : { authorization: `Bearer ${device.credential}` }),
      ...headers,
    },
    // The certificate is that of the source of this bench, on loopback.
    tls: { rejectUnauthorized: false },
  });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}: ${text.slice(0, 200)}`);
  return text;
}

/** Returns the milliseconds of processor time of the source for each of `count` units. */
async function costOf(source: Source, count: number, work: () => Promise<unknown>): Promise<number> {
  const before = (await readUsage(source.program.pid))!.cpuSeconds;
  await work();
  return (((await readUsage(source.program.pid))!.cpuSeconds - before) * 1_000) / count;
}

async function residentKb(source: Source): Promise<number> {
  const status = await readFile(`/proc/${source.program.pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)![1]);
}

const checkInBody = ({ name, address }: Device): string =>
  JSON.stringify({ inventory: inventoryOf(name, address), lanPort: 7_067 });

/** Opens the event stream of a device. */
function openStream(source: Source, { credential, address }: Device): Promise<TLSSocket> {
  const { hostname, port, host } = new URL(source.url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false });
    const lines = ["GET /v1/agent/events HTTP/1.1", `Host: ${host}`, `X-Forwarded-For: ${address}`];
    socket.once("error", reject);
    socket.once("secureConnect", () =>
      socket.write(`${[...lines, `Authorization: Bearer ${credential}`].join("\r\n")}\r\n\r\n`),
    );
    socket.once("data", () => {
      socket.removeListener("error", reject);
      socket.on("error", () => undefined).resume();
      resolve(socket);
    });
  });
}

async function enrolAll(source: Source, count: number): Promise<Device[]> {
  const devices: Device[] = Array.from({ length: count });
  const tokens: string[] = [];
  for (let at = 0; at < count; at += devicesPerToken)
    tokens.push(await source.admin("token", "create", `bench-${at}`, "--kind", "enrolment"));
  await forEach(devices, async (_, index) => {
    const [name, address] = [`pc-${index}`, addressOf(index)];
    const token = tokens[Math.floor(index / devicesPerToken)];
    const body = JSON.stringify({ token, hostname: name, os: "linux", arch: "x64", agentVersion: "0.1.0" });
    const answer = await send(source, { credential: null, address }, "enroll", body);
    devices[index] = {
      name,
      address,
      credential: v.parse(enrollResponseSchema, JSON.parse(answer)).credential,
    };
  });
  return devices;
}

/** Returns MB of package bytes that the source sends in a second of processor time. */
async function sendingRate(source: Source, packageId: string, size: number): Promise<number> {
  const token = (await readFile(join(source.data, "admin.token"), "utf8")).trim();
  const ms = await costOf(source, size, async () => {
    const answer = await fetch(`${source.url}/v1/packages/${packageId}/content`, {
      headers: { authorization: `Bearer ${token}` },
      tls: { rejectUnauthorized: false },
    });
    for await (const piece of answer.body!) void piece;
  });
  return 1_000 / ms;
}

/** Opens the streams of all devices, and returns what they cost. */
async function measureStreams(
  source: Source,
  devices: readonly Device[],
  heartbeats: number,
): Promise<Pick<SourceLoad, "residentMb" | "streamKb" | "heartbeatMs">> {
  await Bun.sleep(settleMs);
  const before = await residentKb(source);
  const streams: TLSSocket[] = [];
  await forEach(devices, async (one) => void streams.push(await openStream(source, one)));
  await Bun.sleep(settleMs);
  const streamKb = ((await residentKb(source)) - before) / devices.length;
  const count = devices.length * heartbeats;
  const watch = () => Bun.sleep(heartbeats * heartbeatEveryMs);
  const heartbeatMs = heartbeats === 0 ? null : await costOf(source, count, watch);
  for (const stream of streams) stream.destroy();
  return { residentMb: before / 1_024, streamKb, heartbeatMs };
}

async function measure(
  source: Source,
  folder: string,
  { devices: count, size, heartbeats }: SourceLoadOptions,
): Promise<SourceLoad> {
  const file = join(folder, "package.bin");
  await writeFile(file, randomBytes(size * 1e6));
  const packageId = await source.admin("publish", file, "--name", "bench", "--version", "1");
  const sentMbPerCpuSecond = await sendingRate(source, packageId, size);
  const emptyBytes = await catalogBytes(source);
  let devices: Device[] = [];
  const enrolmentMs = await costOf(source, count, async () => (devices = await enrolAll(source, count)));
  let answerBytes = 0;
  const checkIn = async (device: Device, headers = {}): Promise<void> => {
    answerBytes = Buffer.byteLength(await send(source, device, "check-in", checkInBody(device), headers));
  };
  const all = (headers = {}) => costOf(source, count, () => forEach(devices, (one) => checkIn(one, headers)));
  const [firstCheckInMs, checkInMs, freshMs] = [await all(), await all(), await all({ connection: "close" })];
  const checkInBytes = [Buffer.byteLength(checkInBody(devices[0]!)), answerBytes] as const;
  const taskId = Number(await source.admin("task", "create", packageId, "--action", "pre-cache"));
  const body = JSON.stringify({ reports: [reportOf(taskId, "receiving")] });
  const reportMs = await costOf(source, count, () =>
    forEach(devices, async (one) => void (await send(source, one, "progress", body))),
  );
  const streams = await measureStreams(source, devices, heartbeats);
  return {
    enrolmentMs,
    firstCheckInMs,
    checkInMs,
    newConnectionMs: freshMs - checkInMs,
    reportMs,
    checkInBytes,
    sentMbPerCpuSecond,
    ...streams,
    catalogBytes: ((await catalogBytes(source)) - emptyBytes) / count,
  };
}

/** Bytes of the catalog with its log. */
async function catalogBytes({ data }: Source): Promise<number> {
  const files = ["catalog.db", "catalog.db-wal"].map((name) => stat(join(data, name)).catch(() => null));
  return (await Promise.all(files)).reduce((sum, file) => sum + (file?.size ?? 0), 0);
}

/** Starts a source, measures it, and ends it. */
export async function runSourceLoad(options: SourceLoadOptions, cleanup: Cleanup): Promise<SourceLoad> {
  const folder = await mkdtemp(join(tmpdir(), "flockcast-bench-source-"));
  cleanup.add(`remove ${folder}`, () => rm(folder, { recursive: true, force: true }));
  cleanup.add("stop the source", () => stopAll("SIGKILL"));
  const source = await startSource({
    programs: programsFromSource,
    data: join(folder, "source"),
    listen: "127.0.0.1:0",
    args: ["--trusted-proxy", "127.0.0.1/32"],
    env: { FLOCKCAST_LOG: "warn" },
  });
  return await measure(source, folder, options);
}

const each = (ms: number): string[] => [`${ms.toFixed(ms < 0.1 ? 3 : 2)} ms`, `${Math.round(1_000 / ms)}`];

export function sourceLoadText(load: SourceLoad): string {
  const [request, answer] = load.checkInBytes;
  return alignTable([
    ["of the source, for each", "processor time", "in a second of one processor"],
    ["enrolment", ...each(load.enrolmentMs)],
    ["first check-in", ...each(load.firstCheckInMs)],
    ["check-in", ...each(load.checkInMs)],
    ["new TLS connection", ...each(load.newConnectionMs)],
    ["report of progress", ...each(load.reportMs)],
    ...(load.heartbeatMs === null ? [] : [["heartbeat of a connection", ...each(load.heartbeatMs)]]),
    ["MB of a package", ...each(1_000 / load.sentMbPerCpuSecond)],
    ["", "", ""],
    ["bodies of a check-in", `${request} B up`, `${answer} B down`],
    [
      "resident memory",
      `${load.residentMb.toFixed(0)} MB`,
      `and ${load.streamKb.toFixed(0)} KB a connected device`,
    ],
    ["catalog", `${(load.catalogBytes / 1_000).toFixed(1)} kB a device`, "with one report"],
  ]);
}
