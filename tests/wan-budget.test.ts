/** The budget of useless WAN bytes with real processes, and URLs added while a task runs. */
import { readFile, truncate } from "node:fs/promises";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { reasonsText } from "../shared/model/reason.ts";
import type { TaskDetail } from "../shared/api/schema/admin.ts";
import { createCleanups } from "./cleanups.ts";
import { wanBytesFetched } from "./harness.ts";

const sizeBytes = 3_000_000;
const { addCleanup, open } = createCleanups();
const allFailed = (task: TaskDetail): boolean => task.deviceList.every(({ state }) => state === "failed");

/** Opens a web site without ranges that sends the first bytes of `content`, and breaks off. */
async function openBreaking(content: Uint8Array, sentBytes: number): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", () => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${content.length}\r\n\r\n`);
      socket.end(content.subarray(0, sentBytes));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  addCleanup(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/tool.bin`;
}

test("ends the task on a subnet whose web site has no ranges and breaks off each time", async () => {
  const harness = await open();
  const original = await harness.makeFile("tool.bin", sizeBytes);
  const url = await openBreaking(await readFile(original), sizeBytes / 2);
  const peers = await harness.startPeers(2);
  const packageId = await harness.publish(original, { name: "tool", version: "1", url });
  const taskId = await harness.createTask(packageId);
  const task = await harness.waitForTask(taskId, allFailed, 90_000);
  for (const { reasons } of task.deviceList) {
    const reason = reasonsText(reasons);
    expect(reason).toMatch(/MB were fetched from the web site, .* MB of it in vain/);
    expect(reason).toContain("the web site ignores range requests");
  }
  // One device alone ends no subnet, so both have tried: a half is useful to each, twice the
  // package may be useless, and a part was on its way.
  expect(wanBytesFetched(task)).toBeGreaterThan(2 * sizeBytes);
  expect(wanBytesFetched(task)).toBeLessThan(3.5 * sizeBytes);
  for (const peer of peers)
    expect(await harness.copyError(peer, original, "tool", "1")).toStartWith("nothing at");
}, 120_000);

test("ends the task on a subnet where a program empties a file each time it is stored", async () => {
  const harness = await open({ settings: ["useMulticast=false", "wanRate=16mbit"] });
  const original = await harness.makeFile("tool.bin", sizeBytes);
  const peers = await harness.startPeers(3);
  const packageId = await harness.publish(original, { name: "tool", version: "1" });
  // The scanner of every device dislikes the file once it is large.
  const end = new AbortController();
  const scanners = peers.map(async (peer) => {
    while (!end.signal.aborted) {
      const file = join(peer.data, "cache", ".partial", packageId, "tool.bin");
      if (
        (
          await Bun.file(file)
            .stat()
            .catch(() => null)
        )?.size
      )
        await truncate(file, 0).catch(() => {});
      await Bun.sleep(5);
    }
  });
  addCleanup(async () => {
    end.abort();
    await Promise.all(scanners);
  });
  const taskId = await harness.createTask(packageId);
  const task = await harness.waitForTask(taskId, allFailed, 90_000);
  expect(task.deviceList.map(({ reasons }) => reasonsText(reasons)).join("\n")).toMatch(
    /virus scanner|chunks were fetched again/,
  );
  // A copy of each device is useful at most.
  expect(wanBytesFetched(task)).toBeLessThan(6 * sizeBytes);
}, 120_000);

test("continues at a URL that is added while the task runs", async () => {
  const harness = await open();
  const original = await harness.makeFile("tool.bin", sizeBytes);
  const down = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: () => new Response("later", { status: 503 }),
  });
  const up = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response(Bun.file(original)) });
  addCleanup(() => Promise.all([down.stop(true), up.stop(true)]));
  await harness.setSetting("default", "wanAttempts=3");
  const peers = await harness.startPeers(2);
  const url = `http://127.0.0.1:${down.port}/tool.bin?sig=secret`;
  const packageId = await harness.publish(original, { name: "tool", version: "1", url });
  const taskId = await harness.createTask(packageId);
  await harness.waitForTask(taskId, ({ deviceList }) =>
    deviceList.some(({ reasons }) => reasonsText(reasons).includes("answered 503")),
  );
  await harness.source.admin("package", "url", "add", "tool@1", `http://127.0.0.1:${up.port}/tool.bin`);
  const task = await harness.waitUntilComplete(taskId, peers);
  for (const peer of peers) expect(await harness.copyError(peer, original, "tool", "1")).toBeNull();
  expect(wanBytesFetched(task)).toBeLessThan(1.1 * sizeBytes);
  expect(await harness.source.admin("package", "list")).not.toContain("secret");
}, 90_000);
