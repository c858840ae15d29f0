/** Publishing by URL at the source: a real web site, its faults, and addresses it must not read. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Publication } from "../api/schema/publishing.ts";
import { packageId } from "../model/manifest-codec.ts";
import { openFixture, type Fixture } from "./app-fixture.ts";
import { dataFiles } from "./data-files.ts";
import { digestPath } from "./publishing/digest-files.ts";
import { parseNetworks } from "./webhooks/egress.ts";

const content = randomBytes(700_000);
let site: Bun.Server<undefined>;
let fixture: Fixture;
beforeAll(() => {
  site = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 60,
    fetch(request) {
      const { pathname } = new URL(request.url);
      if (pathname === "/tool.bin") return new Response(content);
      if (pathname === "/page")
        return new Response("<p>sign in, secret-body", { headers: { "content-type": "text/html" } });
      if (pathname === "/old/tool.bin") return Response.redirect("/tool.bin", 302);
      if (pathname === "/metadata") return Response.redirect("http://169.254.169.254/latest/meta-data", 302);
      if (pathname === "/file")
        return new Response(null, { status: 302, headers: { location: "file:///etc/passwd" } });
      if (pathname === "/loop") return Response.redirect("/loop", 302);
      if (pathname.startsWith("/slow")) return new Response(slowBody());
      return new Response("secret-body", { status: 404 });
    },
  });
});
afterAll(() => site.stop(true));
beforeEach(async () => {
  fixture = await openFixture({ publishNetworks: parseNetworks(["127.0.0.1"]) });
});
afterEach(() => fixture.close());

/** A body that sends a part and never ends. */
const slowBody = (): ReadableStream<Uint8Array> =>
  new ReadableStream({
    start: (controller) => controller.enqueue(new Uint8Array(1_000)),
    pull: () => new Promise(() => {}),
  });

const at = (path: string): string => new URL(path, site.url).href;
const begin = (url: string, more: object = {}, credential?: string) =>
  fixture.call<Publication & { error: string; hint?: string }>("POST", "/v1/publications", {
    json: { name: "tool", version: "1", url, ...more },
    ...(credential === undefined ? {} : { credential }),
  });
const view = async (id: string): Promise<Publication> =>
  (await fixture.call<Publication>("GET", `/v1/publications/${id}`)).body;

async function ended(id: string): Promise<Publication> {
  for (;;) {
    const now = await view(id);
    if (now.endedAtMs !== null) return now;
    await Bun.sleep(10);
  }
}
const publish = async (url: string, more: object = {}): Promise<Publication> =>
  ended((await begin(url, more)).body.id);

test("publishes the file with the id that the command line gives it, and keeps none of its bytes", async () => {
  const file = join(fixture.folder, "tool.bin");
  await writeFile(file, content);
  const commands = [
    { name: "install", lines: [{ os: "linux", shell: "sh", line: "sh ./tool.bin" }] },
  ] as const;
  const { bytes } = await digestPath(file, { name: "tool", version: "1", commands });
  const text = '[install]\nlinux = "sh ./tool.bin"\n';
  const done = await publish(at("/old/tool.bin?signature=hidden"), { commands: text });
  expect(done).toMatchObject({
    state: "done",
    packageId: packageId(bytes),
    doneBytes: content.length,
    totalBytes: content.length,
    startedBy: "admin.token",
    url: `${at("/old/tool.bin")}?…`,
    file: { path: "tool.bin", type: "application/octet-stream", isEndProven: true, lastUrl: at("/tool.bin") },
  } satisfies Partial<Publication>);
  const found = (await fixture.catalog.packages.list())[0]!;
  expect(found).toMatchObject({
    state: "ready",
    urls: [{ url: at("/old/tool.bin?signature=hidden"), layout: "file" }],
  });
  const rows = (await fixture.catalog.audit.after(0, 1_000)).slice(-3);
  expect(JSON.stringify(rows)).not.toContain("hidden");
  expect(rows.map(({ actor }) => actor)).toContain("admin.token");
});

test("names what is wrong with a web site and the next step, and shows nothing of its body", async () => {
  for (const [path, message] of [
    ["/none", "answered 404"],
    ["/metadata", "is a link-local address"],
    ["/file", "redirects to file:…, which is not a web address"],
    ["/loop", "redirects more than 10 times"],
  ] as const) {
    const failed = await publish(at(path));
    expect([path, failed.state, failed.problem?.error]).toEqual([
      path,
      "failed",
      expect.stringContaining(message),
    ]);
    expect(failed.problem?.hint).toContain("command line");
    expect(JSON.stringify(failed)).not.toContain("secret-body");
  }
  const unreachable = await publish("http://127.0.0.1:1/x");
  expect(unreachable.problem?.error).toContain("refuses connections");
  // A page is published, and its media type tells a person what it is.
  expect(await publish(at("/page"))).toMatchObject({ state: "done", file: { type: "text/html" } });
});

test.each([
  ["a length", "Content-Length: 1000\r\n\r\nshort"],
  ["chunks", "Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n"],
])("publishes nothing of a connection that ends early, with %s", async (_what, answer) => {
  const short = Bun.listen({
    port: 0,
    hostname: "127.0.0.1",
    socket: {
      data(socket) {
        socket.write(`HTTP/1.1 200 OK\r\n${answer}`);
        socket.end();
      },
    },
  });
  try {
    const failed = await publish(`http://127.0.0.1:${short.port}/x`);
    expect([failed.state, failed.packageId]).toEqual(["failed", null]);
    expect(failed.problem?.error).toMatch(/closed early|announced 1000 bytes and sent 5/);
    expect(await fixture.catalog.packages.list()).toEqual([]);
  } finally {
    short.stop(true);
  }
});

test("reads no address that is not public, unless an option of the source names its network", async () => {
  await fixture.close();
  fixture = await openFixture();
  const { port } = new URL(site.url);
  for (const url of [
    at("/tool.bin"),
    `http://localhost:${port}/tool.bin`,
    `http://[::1]:${port}/tool.bin`,
    `http://[::ffff:127.0.0.1]:${port}/tool.bin`,
    "http://169.254.169.254/latest/meta-data/",
    "http://10.0.0.1/",
    "http://[fd00::1]/",
    "http://0.0.0.0/",
    "http://2130706433/",
  ]) {
    const failed = await publish(url);
    expect([url, failed.state]).toEqual([url, "failed"]);
    expect(failed.problem?.error).toMatch(/is not public: serve --publish-network \S+ allows it/);
  }
});

test("refuses addresses, names and commands before anything is read", async () => {
  for (const [request, message] of [
    [{ url: "file:///etc/passwd" }, "neither http: nor https:"],
    [{ url: "ftp://files.example/x" }, "neither http: nor https:"],
    [{ url: "http://me:pw@127.0.0.1/x" }, "contains credentials"],
    [{ url: "tool.bin" }, "is not a URL"],
    [{ url: at("/tool.bin"), name: "a/b" }, "The name cannot be used"],
    [{ url: at("/tool.bin"), commands: "[install" }, "Cannot use the commands"],
  ] as const) {
    const { url, ...more } = request;
    const { status, body } = await begin(url, more);
    expect([url, status, body.error]).toEqual([url, 400, expect.stringContaining(message)]);
    expect([url, (body.hint ?? "").length > 0]).toEqual([url, true]);
  }
  expect((await fixture.call<{ publications: [] }>("GET", "/v1/publications")).body.publications).toEqual([]);
});

test("publishers start and cancel it, others may not even see it", async () => {
  for (const role of ["operator", "viewer"] as const) {
    const { text: credential } = await fixture.token(role);
    expect((await begin(at("/tool.bin"), {}, credential)).status).toBe(403);
    expect((await fixture.call("GET", "/v1/publications", { credential })).status).toBe(403);
  }
  const { name, text: credential } = await fixture.token("publisher");
  const begun = await begin(at("/slow"), {}, credential);
  expect(begun.body).toMatchObject({ state: "reading", startedBy: name });
  while ((await view(begun.body.id)).doneBytes === 0) await Bun.sleep(10);
  const cancelled = await fixture.call<Publication>("DELETE", `/v1/publications/${begun.body.id}`, {
    credential,
  });
  expect(cancelled.body).toMatchObject({ state: "cancelled", problem: null, packageId: null });
  const rows = (await fixture.catalog.audit.after(0, 1_000)).filter(({ actor }) => actor === name);
  expect(rows.map(({ action }) => action)).toContain("POST /v1/publications");
  expect(rows.at(-1)?.action).toBe("DELETE /v1/publications/:id");
  expect(await fixture.catalog.packages.list()).toEqual([]);
});

test("reads two packages at a time, and each version once", async () => {
  const first = await begin(at("/slow/1"));
  expect((await begin(at("/slow/1"))).body.error).toContain("is being read already");
  const second = await begin(at("/slow/2"), { version: "2" });
  const third = await begin(at("/slow/3"), { version: "3" });
  expect([third.status, third.body.hint]).toEqual([429, expect.stringContaining("cancel one")]);
  for (const { body } of [first, second]) await fixture.call("DELETE", `/v1/publications/${body.id}`);
  expect((await publish(at("/tool.bin"), { version: "3" })).state).toBe("done");
});

test("a source without keys names the command that publishes", async () => {
  await rm(join(fixture.folder, dataFiles.signingKeys.name));
  const { status, body } = await begin(at("/tool.bin"));
  expect([status, body.hint]).toEqual([409, expect.stringContaining("--key FILE")]);
});
