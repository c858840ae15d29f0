/** Commands `webhook` with a source in its own process, which is killed while an event waits. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runToEnd } from "../scripts/rig/process.ts";
import { webhookSignature } from "../shared/model/webhook.ts";

const program = join(import.meta.dir, "source.ts");
let folder: string;
const children: Bun.Subprocess[] = [];
let environment: Record<string, string> = {};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "flockcast-webhooks-"));
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill("SIGKILL");
    await child.exited;
  }
  await rm(folder, { recursive: true });
});

const run = (...words: string[]) => runToEnd([process.execPath, program, ...words], { env: environment });

/** Waits until a value is there. */
async function until<T>(what: string, read: () => Promise<T | null> | T | null): Promise<T> {
  for (let tries = 0; tries < 1_200; tries++) {
    const value = await read();
    if (value !== null) return value;
    await Bun.sleep(25);
  }
  throw new Error(`${what} took more than 30 s`);
}

async function serve(...words: string[]): Promise<Bun.Subprocess> {
  const data = join(folder, "data");
  await rm(join(data, "source.url"), { force: true });
  const place = ["serve", "--data", data, "--listen", "127.0.0.1:0", "--no-tls"];
  const child = Bun.spawn([process.execPath, program, ...place, ...words], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
    env: { ...process.env, FLOCKCAST_LOG: "silent" },
  });
  children.push(child);
  const url = await until("the start of the source", async () => {
    const text = await readFile(join(data, "source.url"), "utf8").catch(() => "");
    return text.endsWith("\n") ? text.trim() : null;
  });
  const token = (await readFile(join(data, "admin.token"), "utf8")).trim();
  const key = join(folder, "publisher.key");
  environment = { FLOCKCAST_SOURCE: url, FLOCKCAST_TOKEN: token, FLOCKCAST_PUBLISHER_KEY: key };
  return child;
}

test("an event that waits while the source is killed is sent by the next one, with the secret of webhook add", async () => {
  const received: { body: string; headers: Headers }[] = [];
  let status = 503;
  const receiver = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      received.push({ body: await request.text(), headers: request.headers });
      return new Response(null, { status });
    },
  });
  try {
    const refusing = await serve();
    const url = `http://127.0.0.1:${receiver.port}/hook`;
    const refused = await run("webhook", "add", "ci", url);
    expect([refused.status, refused.stderr]).toEqual([
      1,
      expect.stringContaining("--webhook-network 127.0.0.1"),
    ]);
    refusing.kill("SIGTERM");
    expect(await refusing.exited).toBe(0);

    const first = await serve("--webhook-network", "127.0.0.1");
    const added = await run("webhook", "add", "ci", url, "--event", "task.cancelled");
    const secret = added.stdout.trim();
    expect([added.status, secret.length > 30]).toEqual([0, true]);
    const failing = await run("webhook", "test", "ci");
    expect([failing.status, failing.stderr]).toEqual([1, expect.stringContaining("answered 503")]);
    const path = join(folder, "tool.bin");
    await writeFile(path, "bytes");
    await run("publish", path, "--name", "tool", "--version", "1");
    const taskId = (await run("task", "create", "tool", "--action", "pre-cache")).stdout.trim();
    expect((await run("task", "cancel", taskId)).status).toBe(0);
    await until("the first attempt", () =>
      received.some(({ body }) => body.includes("cancelled")) ? 1 : null,
    );
    first.kill("SIGKILL");
    await first.exited;

    status = 200;
    received.length = 0;
    await serve("--webhook-network", "127.0.0.1");
    const [{ body, headers }] = (await until("the delivery", () =>
      received.length > 0 ? received : null,
    )) as [(typeof received)[0]];
    expect(JSON.parse(body)).toMatchObject({
      event: "task.cancelled",
      data: { task: { id: Number(taskId), packageName: "tool", state: "cancelled" } },
    });
    const signature = webhookSignature(secret, Number(headers.get("flockcast-timestamp")), body);
    expect(headers.get("flockcast-signature")).toBe(signature);

    const listed = await until("the end of the queue", async () => {
      const [one] = JSON.parse((await run("webhook", "list", "--json")).stdout) as { queued: number }[];
      return one!.queued === 0 ? one! : null;
    });
    expect(listed).toMatchObject({ name: "ci", url, events: ["task.cancelled"], dropped: 0 });
    expect((await run("webhook", "list")).stdout).toMatch(/^NAME +URL +EVENTS[^]*\nci /);
    expect((await run("webhook", "test", "ci")).stdout).toBe("ci: the receiver answered 200\n");
    expect((await run("webhook", "remove", "ci")).stdout).toBe("removed ci\n");
    expect((await run("webhook", "remove", "ci")).stderr).toContain("webhook list shows all");
  } finally {
    await receiver.stop(true);
  }
}, 180_000);
