/** The WAN report, against what two real web servers sent: the source's proxy, and another site. */
import { createServer, request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "bun:test";
import * as v from "valibot";
import { metricsOf } from "../scripts/rig/deployment.ts";
import { wanReportSchema } from "../shared/api/schema/admin.ts";
import { createCleanups } from "./cleanups.ts";

const { addCleanup, open } = createCleanups();
const sizeBytes = 4_000_000;

/** Starts a proxy before the source, which counts the bytes of package contents. */
async function contentProxy(sourceUrl: string): Promise<{ url: string; sent: () => number }> {
  let sent = 0;
  const { port } = new URL(sourceUrl);
  const server = createServer((request, response) => {
    const isContent = request.url?.endsWith("/content") === true && request.method === "GET";
    const onward = httpRequest(
      { host: "127.0.0.1", port, method: request.method, path: request.url, headers: request.headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.on("data", (part: Buffer) => void (sent += isContent ? part.length : 0));
        answer.pipe(response);
      },
    );
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  addCleanup(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, sent: () => sent };
}

/** Opens a web site that counts the bytes of its answers. */
function webSite(path: string): { url: string; sent: () => number } {
  let sent = 0;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const bytes = await Bun.file(path).bytes();
      const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("range") ?? "");
      const start = Number(range?.[1] ?? 0);
      const end = Math.min(bytes.length, range?.[2] ? Number(range[2]) + 1 : bytes.length);
      const part = bytes.slice(start, end);
      if (request.method === "GET") sent += part.length;
      const headers = { "content-range": `bytes ${start}-${end - 1}/${bytes.length}` };
      return range ? new Response(part, { status: 206, headers }) : new Response(part);
    },
  });
  addCleanup(() => server.stop(true));
  return { url: `http://127.0.0.1:${server.port}/web.bin`, sent: () => sent };
}

test("the report has the bytes that the web servers sent, once for tasks that share a package", async () => {
  const harness = await open({ sourceArgs: ["--no-tls"] });
  const proxy = await contentProxy(harness.source.url);
  const other = await harness.newGroup();
  const peers = [
    ...(await harness.startPeers(2, { sourceUrl: proxy.url })),
    await harness.startPeer({ name: "elsewhere", group: other, sourceUrl: proxy.url }),
  ];
  const tool = await harness.publish(await harness.makeFile("tool.bin", sizeBytes), {
    name: "tool",
    version: "1",
  });
  const cancelled = await harness.createTask(tool, { target: "group:nobody" });
  await harness.source.admin("task", "cancel", String(cancelled));
  const both = await Promise.all([harness.createTask(tool), harness.createTask(tool)]);
  for (const id of both) await harness.waitUntilComplete(id, peers, 120_000);
  const file = await harness.makeFile("web.bin", sizeBytes);
  const site = webSite(file);
  const web = await harness.publish(file, { name: "web", version: "1", url: site.url });
  await harness.waitUntilComplete(await harness.createTask(web), peers, 120_000);

  const reportOf = async () =>
    v.parse(
      wanReportSchema,
      JSON.parse(await harness.source.admin("report", "wan", "--by", "package", "--json")),
    );
  const { rows, total } = await reportOf();
  const rowOf = (name: string) => rows.find((row) => row.name === name)!;
  const sentBySource = proxy.sent();
  expect(sentBySource).toBeGreaterThanOrEqual(2 * sizeBytes);
  expect(rowOf("tool 1")).toMatchObject({ webBytes: 0, directBytes: 3 * sizeBytes });
  // A reader that ends early leaves bytes in buffers on the way.
  expect(Math.abs(rowOf("tool 1").sourceBytes - sentBySource)).toBeLessThan(0.02 * sizeBytes);
  expect(rowOf("web 1")).toMatchObject({ webBytes: site.sent(), directBytes: 3 * sizeBytes });
  expect(total.directBytes).toBe(6 * sizeBytes);

  const wanOf = async (id: number): Promise<number> =>
    (await harness.client.task(id)).subnets.reduce((sum, { wanBytes }) => sum + wanBytes, 0);
  expect(await wanOf(cancelled)).toBe(0);
  expect((await wanOf(both[0]!)) + (await wanOf(both[1]!))).toBe(rowOf("tool 1").crossedBytes);

  const csv = await harness.source.admin("report", "wan", "--by", "month", "--csv");
  expect(csv.split("\r\n")[0]).toStartWith("month,id,crossed_bytes,");
  expect(await harness.source.admin("report", "wan", "--since", "2026-01-01")).toContain("WITHOUT FLOCKCAST");

  // The totals survive a restart of the source.
  await harness.source.program.stop();
  await harness.source.restart();
  expect((await reportOf()).total).toEqual(total);
  const metrics = await metricsOf(harness.source);
  expect(metrics).toContain(`\nflockcast_source_wan_bytes_total ${total.crossedBytes}\n`);
}, 300_000);
