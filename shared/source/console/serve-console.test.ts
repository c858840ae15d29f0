/** Console at the source: page and files with their headers, next to the API. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { openFixture, type Fixture } from "../app-fixture.ts";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packConsole } from "../../../scripts/build/pack-console.ts";
import { bundled, consoleFiles } from "./console-files.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openFixture();
});
afterAll(() => fixture.close());

const get = (path: string, headers: Record<string, string> = {}, method = "GET") =>
  fixture.app.request(`https://source${path}`, { method, headers });

/** Addresses that the page loads. */
async function filesOfPage(): Promise<string[]> {
  const text = await (await get("/")).text();
  return [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address]) => address!);
}

test("the page is checked again at each visit, and its files never change", async () => {
  const page = await get("/");
  expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
  expect(page.headers.get("cache-control")).toBe("no-cache");
  const addresses = await filesOfPage();
  const kinds = new Set(addresses.map((one) => one.slice(one.lastIndexOf("."))));
  expect([...kinds]).toEqual([".svg", ".css", ".js"]);
  for (const address of addresses) {
    const file = await get(address);
    expect([address, file.status]).toEqual([address, 200]);
    expect(file.headers.get("cache-control")).toContain("immutable");
    expect(file.headers.get("x-content-type-options")).toBe("nosniff");
  }
});

test("no file of another site, no inline code and no frame is allowed", async () => {
  const policy = (await get("/")).headers.get("content-security-policy") ?? "";
  const rules = policy.split("; ");
  expect(rules).toContain("default-src 'none'");
  expect(rules).toContain("script-src 'self'");
  expect(rules).toContain("frame-ancestors 'none'");
  expect(policy).not.toMatch(/unsafe|https?:|\*/);
  for (const { bytes, media } of (await consoleFiles()).values()) {
    const loads = new TextDecoder().decode(bytes).match(/(?:src|href)="https?:|url\(["']?https?:/g);
    expect([media, loads]).toEqual([media, null]);
  }
});

test("a browser that has the page gets 304, and one that unpacks gzip gets fewer bytes", async () => {
  const first = await get("/");
  const again = await get("/", { "if-none-match": first.headers.get("etag")! });
  expect([again.status, await again.text()]).toEqual([304, ""]);
  const script = (await filesOfPage()).find((address) => address.endsWith(".js"));
  const plain = await (await get(script!)).text();
  const packed = await get(script!, { "accept-encoding": "gzip, br" });
  expect(packed.headers.get("content-encoding")).toBe("gzip");
  expect(Buffer.from(Bun.gunzipSync(await packed.arrayBuffer())).toString()).toBe(plain);
});

test("a page whose packages are not installed is refused with what to do", async () => {
  const folder = await mkdtemp(join(tmpdir(), "flockcast-page-"));
  try {
    const page = join(folder, "index.html");
    await Bun.write(page, '<!doctype html><script type="module" src="./main.ts"></script>');
    await Bun.write(join(folder, "main.ts"), 'import { h } from "preact-that-is-not-there"; h();');
    await expect(bundled(page)).rejects.toMatchObject({
      status: 503,
      message: expect.stringContaining("preact-that-is-not-there"),
      hint: expect.stringContaining("bun install"),
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});

/** Returns the files that a page needs before a form is opened, by following its static imports. */
async function firstFiles(): Promise<string[]> {
  const files = await consoleFiles();
  const needed = new Set(["/"]);
  for (const path of needed) {
    const text = Buffer.from(files.get(path)!.bytes).toString();
    for (const [, other] of text.matchAll(/(?:\bfrom|\bimport|src=|href=)"([^"]+)"/g))
      if (files.has(other!)) needed.add(other!);
  }
  return [...needed];
}

test("the first page takes at most 60 KB, and forms are loaded when they are opened", async () => {
  const files = await consoleFiles();
  const first = await firstFiles();
  const size = first.reduce((sum, path) => sum + files.get(path)!.gzipped.length, 0);
  expect(size).toBeLessThan(60_000);
  expect(first.length).toBeLessThan(files.size);
});

test("the console adds at most half a megabyte to an executable", async () => {
  const folder = await mkdtemp(join(tmpdir(), "flockcast-packed-"));
  try {
    const [first, second] = [join(folder, "a.ts"), join(folder, "b.ts")];
    await packConsole(first);
    await packConsole(second);
    const text = await Bun.file(first).text();
    expect(text.length).toBeLessThan(500_000);
    expect(await Bun.file(second).text()).toBe(text);
    const { packedConsole } = (await import(first)) as { packedConsole: Record<string, string> };
    expect(Object.keys(packedConsole)).toContain("/");
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("other methods and paths are those of the API", async () => {
  expect((await get("/", {}, "POST")).status).toBe(404);
  expect((await get("/index.html")).status).toBe(404);
  expect((await fixture.raw("GET", "/v1/tasks", { credential: null })).status).toBe(401);
  expect((await get("/healthz")).headers.get("content-security-policy")).toBeNull();
});

test("the ways to sign in tell whether a session is there", async () => {
  const ways = await fixture.raw("GET", "/v1/sign-in", { credential: null });
  expect(await ways.json()).toMatchObject({ password: true, signedIn: false });
});
