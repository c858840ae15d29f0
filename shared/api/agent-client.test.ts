import { expect, test } from "bun:test";
import { mayReuseConnections, dropPooledConnections } from "../net/web/connection-pool.ts";
import { taskForTest } from "../device/testing.ts";
import { inventoryOf } from "../source/app-fixture.ts";
import { createAgentClient } from "./agent-client.ts";
import { plainTransport } from "./testing-transport.ts";

test("fails requests and the change stream that were pending when the network changes", async () => {
  const silent = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: () => new Promise(() => {}),
  });
  const client = createAgentClient({ transport: plainTransport(silent.url.origin), credential: "c" });
  const asked = client.checkIn({ inventory: {} as never }).catch((error: unknown) => error);
  const watched = new AbortController();
  let lost: unknown = null;
  const following = client.events(
    watched.signal,
    () => {},
    (error) => {
      lost = error;
      watched.abort();
    },
  );
  await Bun.sleep(50);
  client.renew(new Error("moves to eth0"));
  expect(String(await asked)).toContain("moves to eth0");
  await following;
  expect(String(lost)).toContain("moves to eth0");
  await silent.stop(true);
});

test("opens a new connection after the network has changed", async () => {
  const ports = new Set<number>();
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request, own) {
      ports.add(own.requestIP(request)!.port);
      return new Response(null);
    },
  });
  const ask = async (): Promise<unknown> =>
    (await fetch(server.url, { keepalive: mayReuseConnections() })).text();
  await ask();
  await ask();
  expect(ports.size).toBe(1);
  dropPooledConnections();
  await ask();
  expect(ports.size).toBe(2);
  // The pool belongs to the process, and other tests count connections: allow reuse again.
  dropPooledConnections(Number.NEGATIVE_INFINITY);
  await ask();
  await ask();
  expect(ports.size).toBe(2);
  await server.stop(true);
});

test("hands on every task but those that it cannot read", async () => {
  const { attempt, paused, taskKey, packageKey } = taskForTest();
  const task = { id: 7, order: { payload: "{}", signatures: [] }, attempt, paused, taskKey, packageKey };
  const answer = {
    sourceTimeMs: 1,
    subnetId: null,
    trust: { version: 1, files: [], freshness: null },
    ownSetting: { name: "default" },
    settings: [],
    assignments: null,
    tasks: [task, { ...task, id: 8, order: "none" }, { ...task, id: 9, futureField: 1 }],
  };
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => Response.json(answer) });
  const client = createAgentClient({ transport: plainTransport(server.url.origin), credential: "c" });
  const { tasks, unreadable } = await client.checkIn({ inventory: inventoryOf("pc") });
  expect(tasks.map(({ id }) => id)).toEqual([7, 9]);
  expect(unreadable).toEqual([8]);
  await server.stop(true);
});

test("a manifest may take longer than other answers, and its request ends with the task", async () => {
  const { promise: requested, resolve: request } = Promise.withResolvers<void>();
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch() {
      request();
      await Bun.sleep(300);
      return Response.json({ result: "elsewhere", holders: [] });
    },
  });
  const client = createAgentClient({
    transport: plainTransport(server.url.origin),
    credential: "c",
    timeoutMs: 50,
  });
  const wanted = { taskId: 1, epoch: "", subnetId: null, address: "127.0.0.1", lanPort: 0, attempt: 0 };
  expect(await client.manifest(wanted)).toEqual({ result: "elsewhere", holders: [] });
  const task = new AbortController();
  const pending = client.manifest(wanted, task.signal).catch((error: unknown) => error);
  await requested;
  task.abort(new Error("the task was cancelled"));
  expect(String(await pending)).toContain("the task was cancelled");
  await server.stop(true);
});
