/** Webhooks with real receivers: events, signatures, back-off, bounds, restarts, egress rules. */
import { afterEach, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAdminClient } from "../../api/agent-client.ts";
import { makeCertificate } from "../../api/testing-certificates.ts";
import type { WebhookCreated } from "../../api/schema/webhooks.ts";
import { createLogger } from "../../log.ts";
import { signed } from "../../model/signing.ts";
import { webhookQueueMax, webhookSignature } from "../../model/webhook.ts";
import { openFixture, reportOf, type Fixture, type TestDevice } from "../app-fixture.ts";
import { digestPath } from "../publishing/digest-files.ts";
import { loadOrCreatePublisherKey } from "../publishing/publisher-key.ts";
import { startSource } from "../server.ts";
import { deliverDue } from "./deliveries.ts";
import { allowedAddress, parseNetworks, parseTarget, webhookRule } from "./egress.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});
const here = parseNetworks(["127.0.0.0/8"]);

type Received = { readonly body: string; readonly headers: Headers };
type Body = { delivery: string; event: string; atMs: number; data: Record<string, Record<string, unknown>> };

/** Starts a receiver whose answers are set by `status`. */
function startReceiver() {
  const received: Received[] = [];
  const state = { status: 200 };
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      received.push({ body: await request.text(), headers: request.headers });
      return new Response(null, { status: state.status, headers: { location: "http://127.0.0.1:1/" } });
    },
  });
  cleanups.push(() => server.stop(true));
  return { url: `http://127.0.0.1:${server.port}/hook?x=1`, received, state };
}
const bodiesOf = (received: readonly Received[]): Body[] =>
  received.map(({ body }) => JSON.parse(body) as Body);

async function open() {
  const fixture = await openFixture({ webhookNetworks: here });
  cleanups.push(() => fixture.close());
  const { catalog, metrics, log, clock } = fixture;
  const context = { catalog, metrics, log, webhookNetworks: here, nowMs: () => clock.nowMs };
  return { fixture, deliver: () => deliverDue(context) };
}

const add = async (fixture: Fixture, url: string, more = {}): Promise<WebhookCreated> =>
  (await fixture.call<WebhookCreated>("POST", "/v1/webhooks", { json: { name: "ci", url, ...more } })).body;

async function publishedTask(fixture: Fixture): Promise<number> {
  const path = join(fixture.folder, "tool.bin");
  await writeFile(path, "bytes");
  const { json } = await fixture.signedPackage(path, { name: "tool", version: "1" });
  const published = await fixture.call<{ packageId: string }>("POST", "/v1/packages", { json });
  await fixture.call("PUT", `/v1/packages/${published.body.packageId}/content`, { body: "bytes" });
  const task = { package: "tool", action: "pre-cache", command: null, run: null, setting: null };
  const wanted = { ...task, target: "all", startAtMs: null };
  return (await fixture.call<{ taskId: number }>("POST", "/v1/tasks", { json: wanted })).body.taskId;
}

const report = (fixture: Fixture, { credential }: TestDevice, taskId: number, state: "failed" | "complete") =>
  fixture.call("POST", "/v1/agent/progress", {
    credential,
    json: { reports: [reportOf(taskId, state, { reasons: [{ code: "no-commands" }] as never })] },
  });

const until = async (what: () => boolean): Promise<void> => {
  for (let tries = 0; !what(); tries++) {
    if (tries > 1_200) throw new Error("nothing arrived within 30 s");
    await Bun.sleep(25);
  }
};

const refusal = async (url: string): Promise<string> => {
  const { fixture } = await open();
  const { body, status } = await fixture.call<{ error: string }>("POST", "/v1/webhooks", {
    json: { name: "ci", url },
  });
  expect(status).toBe(422);
  return body.error;
};

describe("a webhook", () => {
  test("gets failures of devices, cancellations and ends, signed, each once", async () => {
    const { fixture, deliver } = await open();
    const receiver = startReceiver();
    const { secret, webhook } = await add(fixture, receiver.url);
    expect(webhook).toMatchObject({ name: "ci", createdBy: "admin.token", queued: 0 });
    const device = await fixture.device("h1");
    const taskId = await publishedTask(fixture);
    expect((await report(fixture, device, taskId, "failed")).status).toBe(200);
    await report(fixture, device, taskId, "failed");
    await fixture.call("POST", `/v1/tasks/${taskId}/cancel`);
    await deliver();
    await deliver();

    const [failed, cancelled, ...rest] = bodiesOf(receiver.received);
    expect(rest).toEqual([]);
    expect(failed).toMatchObject({
      event: "device.failed",
      atMs: fixture.clock.nowMs,
      data: {
        task: { id: taskId, packageName: "tool", packageVersion: "1", action: "pre-cache" },
        device: { id: device.id, hostname: "h1" },
        reasons: [{ code: "no-commands" }],
      },
    });
    expect(cancelled).toMatchObject({
      event: "task.cancelled",
      data: { task: { id: taskId, state: "cancelled" }, reports: { failed: 1 } },
    });
    expect(new Set(bodiesOf(receiver.received).map(({ delivery }) => delivery)).size).toBe(2);
    for (const { body, headers } of receiver.received) {
      const seconds = Number(headers.get("flockcast-timestamp"));
      expect(seconds).toBe(Math.floor(fixture.clock.nowMs / 1_000));
      expect(headers.get("flockcast-signature")).toBe(webhookSignature(secret, seconds, body));
      expect(headers.get("flockcast-delivery")).toBe((JSON.parse(body) as Body).delivery);
    }
  });

  test("gets the end of a task with the number of devices by state, and only events that it wants", async () => {
    const { fixture, deliver } = await open();
    const receiver = startReceiver();
    await add(fixture, receiver.url, { events: ["task.ended"] });
    const device = await fixture.device("h1");
    const taskId = await publishedTask(fixture);
    await report(fixture, device, taskId, "failed");
    await report(fixture, device, taskId, "complete");
    await fixture.endTasks();
    await deliver();
    expect(bodiesOf(receiver.received)).toMatchObject([
      { event: "task.ended", data: { task: { endedWhy: "complete" }, reports: { complete: 1 } } },
    ]);
  });

  test("is tried again later after a failure or a redirection, and in the order of the events", async () => {
    const { fixture, deliver } = await open();
    const receiver = startReceiver();
    receiver.state.status = 302;
    await add(fixture, receiver.url);
    const device = await fixture.device("h1");
    const taskId = await publishedTask(fixture);
    await report(fixture, device, taskId, "failed");
    await fixture.call("POST", `/v1/tasks/${taskId}/cancel`);
    await deliver();
    await deliver();
    // The second event waits for the first one.
    expect(receiver.received).toHaveLength(1);
    const [listed] = (await fixture.call<{ webhooks: unknown[] }>("GET", "/v1/webhooks")).body.webhooks;
    expect(listed).toMatchObject({ queued: 2, lastFailure: "the receiver answered 302" });
    expect(JSON.stringify(listed)).not.toContain("secret");

    receiver.state.status = 204;
    fixture.clock.nowMs += 3_600_000;
    await deliver();
    expect(bodiesOf(receiver.received).map(({ event }) => event)).toEqual([
      "device.failed",
      "device.failed",
      "task.cancelled",
    ]);
    expect((await fixture.catalog.webhooks.named("ci"))?.queued).toBe(0);
  });

  test("loses an event after a day of failures, and counts it", async () => {
    const { fixture, deliver } = await open();
    await add(fixture, "http://127.0.0.1:1/");
    const device = await fixture.device("h1");
    await report(fixture, device, await publishedTask(fixture), "failed");
    let rounds = 0;
    while ((await fixture.catalog.webhooks.waiting()) > 0 && rounds++ < 100) {
      await deliver();
      fixture.clock.nowMs += 7_200_000;
    }
    expect(rounds).toBeGreaterThan(5);
    expect(await fixture.catalog.webhooks.named("ci")).toMatchObject({ queued: 0, dropped: 1 });
    const metrics = await (await fixture.raw("GET", "/metrics")).text();
    expect(metrics).toContain('flockcast_source_webhook_attempts_total{result="dropped"} 1');
  });

  test("has a bounded queue, and counts what does not fit", async () => {
    const { fixture } = await open();
    await add(fixture, "http://127.0.0.1:1/");
    const device = await fixture.device("h1");
    const taskId = await publishedTask(fixture);
    for (let turns = 0; turns < webhookQueueMax + 3; turns++) {
      await fixture.catalog.tasks.recordProgress(
        device.id,
        [reportOf(taskId, turns % 2 === 0 ? "failed" : "downloading") as never],
        fixture.clock.nowMs,
      );
    }
    const half = Math.ceil((webhookQueueMax + 3) / 2);
    expect(await fixture.catalog.webhooks.named("ci")).toMatchObject({ queued: half, dropped: 0 });
    for (let turns = 0; turns < webhookQueueMax + 3; turns++) {
      const state = turns % 2 === 0 ? "downloading" : "failed";
      await fixture.catalog.tasks.recordProgress(device.id, [reportOf(taskId, state) as never], 1);
    }
    const full = await fixture.catalog.webhooks.named("ci");
    expect(full!.queued).toBe(webhookQueueMax);
    expect(full!.dropped).toBeGreaterThan(0);
  });

  test("is recorded in the audit without its secret: addition, test and removal", async () => {
    const { fixture } = await open();
    const receiver = startReceiver();
    const { secret } = await add(fixture, receiver.url);
    const tested = await fixture.call("POST", "/v1/webhooks/ci/test");
    expect(tested.body).toEqual({ ok: true, status: 200, problem: null });
    expect(bodiesOf(receiver.received)).toMatchObject([{ event: "test" }]);
    await fixture.call("DELETE", "/v1/webhooks/ci");
    const { body } = await fixture.call<{ rows: { action: string; object: string }[] }>(
      "GET",
      "/v1/audit?action=webhooks",
    );
    expect(body.rows.map(({ action }) => action)).toEqual([
      "DELETE /v1/webhooks/:webhook",
      "POST /v1/webhooks/:webhook/test",
      "POST /v1/webhooks",
    ]);
    expect(JSON.stringify(body)).not.toContain(secret);
  });

  test("delivers after a restart what was queued before it", async () => {
    const folder = await mkdtemp(join(tmpdir(), "flockcast-webhooks-"));
    cleanups.push(() => rm(folder, { recursive: true }));
    const receiver = startReceiver();
    receiver.state.status = 500;
    const start = () =>
      startSource({
        dataDir: join(folder, "data"),
        listen: { host: "127.0.0.1", port: 0 },
        tls: { kind: "none" },
        webhookNetworks: here,
        log: createLogger("test", "silent"),
      });
    const first = await start();
    const token = (await readFile(join(folder, "data", "admin.token"), "utf8")).trim();
    const client = createAdminClient({ sourceUrl: first.url, token });
    await client.addWebhook({ name: "ci", url: receiver.url });
    const path = join(folder, "tool.bin");
    await writeFile(path, "bytes");
    const { bytes } = await digestPath(path, { name: "tool", version: "1" });
    const key = await loadOrCreatePublisherKey(join(folder, "publisher.key"));
    const { packageId } = await client.publish(signed(bytes, key));
    await client.putContent(packageId, new Blob(["bytes"]).stream());
    const task = { package: "tool", action: "pre-cache", command: null, run: null, setting: null } as const;
    const { taskId } = await client.createTask({ ...task, target: "all", startAtMs: null });
    await client.changeTask(taskId, "cancel");
    await until(() => receiver.received.length > 0);
    await first.stop();

    receiver.state.status = 200;
    const before = receiver.received.length;
    const second = await start();
    cleanups.push(() => second.stop());
    await until(() => receiver.received.length > before);
    const bodies = bodiesOf(receiver.received);
    expect(new Set(bodies.map(({ delivery }) => delivery)).size).toBe(1);
    expect(bodies.at(-1)).toMatchObject({ event: "task.cancelled", data: { task: { id: taskId } } });
  }, 90_000);
});

describe("the address of a webhook", () => {
  test("is public with TLS, or within a network that is allowed", async () => {
    for (const url of [
      "http://10.0.0.7/",
      "https://192.168.1.1/",
      "https://[::1]/",
      "https://169.254.169.254/",
    ])
      expect(await refusal(url)).toContain("not public");
    expect(await refusal("https://[::ffff:10.0.0.1]/")).toContain("not public");
    expect(await refusal("https://0x0a000001/")).toContain("not public");
    expect(await refusal("http://8.8.8.8/")).toContain("no TLS");
    expect(await refusal("file:///etc/passwd")).toContain("not a web address");
    expect(await refusal("https://user:secret@example.com/")).toContain("password");
  });

  test("is judged by every address of its name, also at the time of a delivery", async () => {
    const url = parseTarget("https://localhost:8443/hook");
    expect(await allowedAddress(url, webhookRule(parseNetworks(["127.0.0.1", "::1"])))).toMatch(
      /^(127\.0\.0\.1|::1)$/,
    );
    expect(allowedAddress(url, webhookRule(parseNetworks(["10.0.0.0/8"])))).rejects.toThrow("not public");
    const { fixture } = await open();
    const receiver = startReceiver();
    await add(fixture, receiver.url);
    const { catalog, metrics, log, clock } = fixture;
    const device = await fixture.device("h1");
    await report(fixture, device, await publishedTask(fixture), "failed");
    // The network was allowed when the webhook was added.
    await deliverDue({ catalog, metrics, log, webhookNetworks: [], nowMs: () => clock.nowMs });
    expect(receiver.received).toEqual([]);
    expect((await catalog.webhooks.named("ci"))?.lastFailure).toContain("not public");
  });

  test("needs a certificate of its name", async () => {
    const { fixture } = await open();
    const { certFile, keyFile } = await makeCertificate(fixture.folder, { name: "other.example" });
    const tls = { cert: Bun.file(certFile), key: Bun.file(keyFile) };
    const server = Bun.serve({ port: 0, hostname: "127.0.0.1", tls, fetch: () => new Response("") });
    cleanups.push(() => server.stop(true));
    await add(fixture, `https://127.0.0.1:${server.port}/`);
    const { body } = await fixture.call<{ ok: boolean; problem: string }>("POST", "/v1/webhooks/ci/test");
    expect(body.ok).toBe(false);
    expect(body.problem).toMatch(/certificate/i);
  });
});
