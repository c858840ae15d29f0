/** Packages on another web site: its answers, a proxy, and a publisher whose key is not listed. */
import { Database } from "bun:sqlite";
import { mkdir, readdir, readFile, readlink, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { reasonsText } from "../shared/model/reason.ts";
import { signed } from "../shared/model/signing.ts";
import { loadOrCreatePublisherKey } from "../shared/source/publishing/publisher-key.ts";
import type { TaskDetail } from "../shared/api/schema/admin.ts";
import { createCleanups } from "./cleanups.ts";
import { bytesFrom, wanBytesFetched } from "./harness.ts";

const sizeBytes = 3_000_000;
const { addCleanup, open } = createCleanups();

type Site = { readonly url: string; readonly asked: string[] };

/** Opens a web site with the answers of the test; it is closed after the test. */
function openSite(answer: (request: Request, count: number) => Response | Promise<Response>): Site {
  const asked: string[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => {
      asked.push(request.url);
      return answer(request, asked.length);
    },
  });
  addCleanup(() => server.stop(true));
  return { url: `http://127.0.0.1:${server.port}`, asked };
}

const allFailed = (task: TaskDetail): boolean => task.deviceList.every(({ state }) => state === "failed");

test("downloads the bytes once, from the web site that the package names", async () => {
  const harness = await open();
  const original = await harness.makeFile("tool.bin", sizeBytes);
  const site = openSite(() => new Response(Bun.file(original)));
  const peers = await harness.startPeers(2);
  const packageId = await harness.publish(original, {
    name: "tool",
    version: "1",
    url: `${site.url}/files/tool.bin`,
  });
  const task = await harness.waitUntilComplete(await harness.createTask(packageId), peers);
  for (const peer of peers) expect(await harness.copyError(peer, original, "tool", "1")).toBeNull();
  expect(bytesFrom(task, "wan")).toBe(sizeBytes);
  expect(wanBytesFetched(task)).toBe(sizeBytes);
  expect(task.subnets[0]!.wanBytes).toBe(sizeBytes);
  expect(new Set(site.asked)).toEqual(new Set([`${site.url}/files/tool.bin`]));
}, 60_000);

test("fetches only the files of a folder: links and empty folders are in the manifest", async () => {
  const harness = await open();
  const folder = join(harness.folder, "tree");
  await mkdir(join(folder, "empty"), { recursive: true });
  await mkdir(join(folder, "bin"));
  await writeFile(join(folder, "bin", "tool 1"), "first");
  await writeFile(join(folder, "readme"), "second");
  await symlink("tool 1", join(folder, "bin", "tool"));
  const site = openSite((request) => {
    const path = decodeURIComponent(new URL(request.url).pathname.replace("/pub/", ""));
    return new Response(Bun.file(join(folder, path)));
  });
  const peers = await harness.startPeers(2);
  const packageId = await harness.publish(folder, { name: "tree", version: "1", url: `${site.url}/pub` });
  await harness.waitUntilComplete(await harness.createTask(packageId), peers);
  expect(site.asked.toSorted()).toEqual([`${site.url}/pub/bin/tool%201`, `${site.url}/pub/readme`]);
  for (const peer of peers) {
    const copy = peer.copyOf("tree", "1");
    expect(await readlink(join(copy, "bin", "tool"))).toBe("tool 1");
    expect(await readdir(join(copy, "empty"))).toEqual([]);
  }
}, 60_000);

test("fetches small files of a folder several at a time", async () => {
  const harness = await open();
  const folder = join(harness.folder, "many");
  await mkdir(folder);
  for (let at = 0; at < 60; at++) await writeFile(join(folder, `f${at}`), Buffer.alloc(2_000, at));
  const flight = { now: 0, max: 0 };
  const site = openSite(async (request) => {
    flight.max = Math.max(flight.max, ++flight.now);
    await Bun.sleep(50);
    flight.now--;
    return new Response(Bun.file(join(folder, new URL(request.url).pathname)));
  });
  const peers = await harness.startPeers(2);
  const packageId = await harness.publish(folder, { name: "many", version: "1", url: site.url });
  const task = await harness.waitUntilComplete(await harness.createTask(packageId), peers);
  for (const peer of peers) expect(await harness.copyError(peer, folder, "many", "1")).toBeNull();
  expect(flight.max).toBe(6);
  expect(site.asked).toHaveLength(60);
  expect(wanBytesFetched(task)).toBe(120_000);
}, 60_000);

test("fails the task on every device with the URL when the file is missing", async () => {
  const harness = await open();
  const original = await harness.makeFile("tool.bin", sizeBytes);
  const site = openSite(() => new Response("no", { status: 404 }));
  const peers = await harness.startPeers(3);
  const url = `${site.url}/gone.bin`;
  const packageId = await harness.publish(original, { name: "tool", version: "1", url });
  const taskId = await harness.createTask(packageId);
  const watched = await harness.tryAdmin("task", "watch", String(taskId));
  expect(watched.status).toBe(1);
  expect(
    watched.stdout.match(new RegExp(`failed .*${url.replaceAll(".", "\\.")} answered 404`, "g")),
  ).toHaveLength(3);
  const task = await harness.waitForTask(taskId, allFailed);
  for (const { reasons } of task.deviceList) expect(reasonsText(reasons)).toContain(`${url} answered 404`);
  expect(bytesFrom(task, "wan")).toBe(0);
  for (const peer of peers) {
    expect(await harness.copyError(peer, original, "tool", "1")).toStartWith("nothing at");
    expect((await peer.status()).tasks[0]?.state).toBe("failed");
  }
}, 60_000);

test("fails the task when the bytes changed after they were published", async () => {
  const harness = await open({ settings: ["wanAttempts=2"] });
  const original = await harness.makeFile("tool.bin", sizeBytes);
  const other = await readFile(await harness.makeFile("other.bin", sizeBytes));
  const site = openSite(() => new Response(other));
  const peers = await harness.startPeers(2);
  const packageId = await harness.publish(original, {
    name: "tool",
    version: "1",
    url: `${site.url}/tool.bin`,
  });
  const task = await harness.waitForTask(await harness.createTask(packageId), allFailed);
  for (const { reasons, from } of task.deviceList) {
    expect(reasonsText(reasons)).toContain(`${site.url}/tool.bin does not match the manifest`);
    expect(from.wan).toBe(0);
  }
  for (const peer of peers)
    expect(await harness.copyError(peer, original, "tool", "1")).toStartWith("nothing at");
}, 60_000);

test("tries a web site under maintenance again after its Retry-After", async () => {
  const harness = await open();
  const original = await harness.makeFile("tool.bin", sizeBytes);
  let firstAtMs = 0;
  let servedAtMs = 0;
  const site = openSite((_request, count) => {
    if (count === 1) firstAtMs = performance.now();
    if (count === 1) return new Response("later", { status: 503, headers: { "retry-after": "2" } });
    servedAtMs ||= performance.now();
    return new Response(Bun.file(original));
  });
  const peers = await harness.startPeers(2);
  const packageId = await harness.publish(original, {
    name: "tool",
    version: "1",
    url: `${site.url}/tool.bin`,
  });
  const taskId = await harness.createTask(packageId);
  await harness.waitForTask(taskId, ({ deviceList }) =>
    deviceList.some(({ reasons }) => reasonsText(reasons).includes("answered 503")),
  );
  const task = await harness.waitUntilComplete(taskId, peers);
  expect(servedAtMs - firstAtMs).toBeGreaterThan(1_900);
  for (const peer of peers) expect(await harness.copyError(peer, original, "tool", "1")).toBeNull();
  expect(wanBytesFetched(task)).toBe(sizeBytes + "later".length);
}, 60_000);

test("uses HTTP_PROXY for the web site and not for peers", async () => {
  const proxied: string[] = [];
  const proxy = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    // The forwarded request must not use a proxy again.
    fetch: async (request) => {
      proxied.push(new URL(request.url).host);
      const headers = new Headers(request.headers);
      headers.delete("host");
      const body = request.method === "GET" ? undefined : await request.arrayBuffer();
      return fetch(request.url, {
        method: request.method,
        headers,
        ...(body ? { body } : {}),
        decompress: false,
        redirect: "manual",
      });
    },
  });
  addCleanup(() => proxy.stop(true));
  const harness = await open({ settings: ["useMulticast=false", "wanRate=16mbit"] });
  const original = await harness.makeFile("tool.bin", sizeBytes);
  const site = openSite(() => new Response(Bun.file(original)));
  const env = {
    HTTP_PROXY: `http://127.0.0.1:${proxy.port}`,
    NO_PROXY: new URL(harness.source.url).host,
  };
  const peers = await harness.startPeers(2, { env });
  const packageId = await harness.publish(original, {
    name: "tool",
    version: "1",
    url: `${site.url}/tool.bin`,
  });
  const task = await harness.waitUntilComplete(await harness.createTask(packageId), peers);
  for (const peer of peers) expect(await harness.copyError(peer, original, "tool", "1")).toBeNull();
  expect([bytesFrom(task, "wan"), bytesFrom(task, "peers")]).toEqual([sizeBytes, sizeBytes]);
  expect(new Set(proxied)).toEqual(new Set([new URL(site.url).host]));
}, 60_000);

test("refuses a manifest of a publisher whose key the trust file does not list", async () => {
  const harness = await open();
  const peer = await harness.startPeer();
  const original = await harness.makeFile("tool.bin", 100_000);
  const packageId = await harness.publish(original, { name: "tool", version: "1" });
  // The source accepts no such package; an intruder writes it into the catalog.
  await harness.source.program.stop();
  const catalog = new Database(join(harness.source.data, "catalog.db"));
  const row = catalog.query<{ manifest: Uint8Array }, []>("SELECT manifest FROM packages").get()!;
  const { signature, publisherKey } = signed(
    row.manifest,
    await loadOrCreatePublisherKey(join(harness.folder, "x.key")),
  );
  catalog.run("UPDATE packages SET signature = ?, publisher_key = ?", [signature, publisherKey]);
  catalog.close();
  await harness.source.restart();
  const task = await harness.waitForTask(await harness.createTask(packageId), allFailed);
  expect(reasonsText(task.deviceList[0]!.reasons)).toContain("the trust file does not list the key");
  expect(await harness.copyError(peer, original, "tool", "1")).toStartWith("nothing at");
}, 60_000);
