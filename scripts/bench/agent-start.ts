/**
 * `bench start`: time from the start of an agent until its tasks are resumed, with many packages in
 * its cache. The files are sparse, and their content is never read.
 */
import { randomBytes } from "node:crypto";
import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ExchangeServer } from "../../shared/net/exchange/server.ts";
import { openLedger } from "../../shared/cache/disk/ledger-sqlite.ts";
import { openCache } from "../../shared/cache/disk/open-cache.ts";
import { CacheFolder } from "../../shared/cache/cache-folder.ts";
import { systemFiles } from "../../shared/cache/disk/system-files.ts";
import { packageRow } from "../../shared/cache/reconcile.ts";
import { AgentMetrics } from "../../shared/agent/status/metrics.ts";
import { Device } from "../../shared/device/device.ts";
import { LanSessions } from "../../shared/device/lan-sessions.ts";
import { sessionSizes, type DevicePorts } from "../../shared/device/ports.ts";
import { newTaskRow } from "../../shared/device/task-record.ts";
import { taskForTest } from "../../shared/device/testing.ts";
import { encodeManifest, packageId } from "../../shared/model/manifest-codec.ts";
import { chunkCount, chunkLength, type Manifest } from "../../shared/model/manifest.ts";
import { signed, type PublisherKey } from "../../shared/model/signing.ts";
import { temporaryFolder, testKey } from "../../shared/model/testing.ts";
import { nodeCrypto } from "../../shared/net/seal/aead.ts";
import { openRangeStream } from "../../shared/net/web/range-stream.ts";
import { systemClock } from "../../shared/platform/system-clock.ts";

type StartOptions = {
  readonly packages: number;
  /** Files of each package. */
  readonly files: number;
  /** MB of each package, 10^6 bytes. */
  readonly size: number;
};
type StartTimes = { readonly cacheMs: number; readonly tasksMs: number };

const chunkSizeBytes = 262_144;
const newKey = (): string => randomBytes(16).toString("base64");
const seconds = (ms: number): string => `${(ms / 1_000).toFixed(2)} s`;

function manifestOf(index: number, { files, size }: StartOptions): Manifest {
  const fileBytes = Math.floor((size * 1e6) / files);
  const layout = {
    files: Array.from({ length: files }, (_, at) => ({
      path: `file-${String(at).padStart(6, "0")}`,
      sizeBytes: fileBytes,
      mode: 0o644 as const,
    })),
    chunkSizeBytes,
  };
  return {
    ...layout,
    format: 2,
    name: `package-${String(index).padStart(6, "0")}`,
    version: "1.0",
    folders: [],
    links: [],
    commands: [],
    sizeBytes: fileBytes * files,
    chunkDigests: new Uint8Array(randomBytes(32 * chunkCount(layout))),
    encodings: [],
  };
}

/** Writes a complete package, and a task that ended with it. */
async function fill(dir: string, options: StartOptions, key: PublisherKey): Promise<void> {
  const ledger = openLedger(dir, Date.now, () => {});
  const folder = new CacheFolder(systemFiles(), dir);
  await folder.prepare();
  for (let index = 0; index < options.packages; index++) {
    const manifest = manifestOf(index, options);
    const bytes = encodeManifest(manifest);
    const id = packageId(bytes);
    const root = folder.finalPath(manifest.name, manifest.version);
    for (const { path, sizeBytes } of manifest.files) {
      const file = join(root, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, "");
      truncateSync(file, sizeBytes);
    }
    const envelope = signed(bytes, key);
    await folder.saveManifest(id, envelope);
    ledger.addPackage(packageRow(id, manifest));
    const rows = Array.from({ length: chunkCount(manifest) }, (_, chunk) => ({
      chunk,
      bytes: chunkLength(manifest, chunk),
      origin: "multicast" as const,
      verifiedAtMs: Date.now(),
    }));
    ledger.addChunks(id, rows);
    ledger.setState(id, "complete");
    const task = {
      ...taskForTest(),
      id: index + 1,
      packageId: id,
      packageName: manifest.name,
      packageVersion: manifest.version,
      taskKey: newKey(),
      packageKey: newKey(),
    };
    ledger.saveTask(task.id, { ...newTaskRow(task), life: "complete", reported: true });
  }
  ledger.close();
}

/** Opens the cache and resumes the tasks, as the agent does at its start. */
async function measure(dir: string): Promise<StartTimes> {
  const beganAtMs = performance.now();
  const cache = await openCache({ dir, maxBytes: null, maxAgeMs: null, clock: systemClock, log: () => {} });
  const openedAtMs = performance.now();
  const peers = new ExchangeServer({
    interfaceAddress: "127.0.0.1",
    device: "00".repeat(8),
    onError: () => {},
  });
  const device = new Device({
    ports: {
      device: "00".repeat(8),
      clock: systemClock,
      random: Math.random,
      cache,
      lan: new LanSessions({
        deployment: 1,
        crypto: nodeCrypto,
        clock: systemClock,
        newSender: () => randomBytes(8).toString("hex"),
      }),
      peers,
      web: { open: openRangeStream },
      upgrades: { isTrial: false },
      sizes: sessionSizes,
      place: { address: "127.0.0.1", subnetId: null, answered: null },
      log: { info() {}, warn() {}, error: console.error },
      metrics: new AgentMetrics(),
    } as unknown as DevicePorts,
    onChange: () => {},
  });
  await device.resume();
  const resumedAtMs = performance.now();
  device.close();
  await peers.close();
  await cache.close();
  return { cacheMs: openedAtMs - beganAtMs, tasksMs: resumedAtMs - openedAtMs };
}

/** Measures a start on a folder that it fills and removes. */
export async function runStart(options: StartOptions): Promise<string> {
  const { path, remove } = temporaryFolder("bench-start");
  try {
    await fill(path, options, testKey());
    const { cacheMs, tasksMs } = await measure(path);
    return `${options.packages} packages of ${options.size} MB in ${options.files} files, as many tasks: cache ${seconds(cacheMs)}, tasks ${seconds(tasksMs)}`;
  } finally {
    remove();
  }
}
