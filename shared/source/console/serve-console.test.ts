/** Console at the source: page and files with their headers, next to the API. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { openFixture, type Fixture } from "../app-fixture.ts";
import { consoleFiles } from "./console-files.ts";

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
  expect(addresses.map((one) => one.slice(one.lastIndexOf(".")))).toEqual([".svg", ".css", ".js"]);
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

/** Adds the scripts that a script imports before it runs. */
async function addImports(address: string, found: Map<string, number>): Promise<void> {
  if (found.has(address)) return;
  const file = (await consoleFiles()).get(address)!;
  found.set(address, file.gzipped.length);
  if (!address.endsWith(".js")) return;
  const text = new TextDecoder().decode(file.bytes);
  for (const [, path] of text.matchAll(/(?:from|import)"\.?(\/chunk-\w+\.js)"/g))
    await addImports(path!, found);
}

test("the first page takes at most 60 KB, and pages of administration are loaded when shown", async () => {
  const sizes = new Map<string, number>();
  for (const address of ["/", ...(await filesOfPage())]) await addImports(address, sizes);
  expect([...sizes.values()].reduce((sum, size) => sum + size, 0)).toBeLessThan(60_000);
  const later = [...(await consoleFiles()).keys()].filter((path) => !sizes.has(path));
  expect(later.length).toBeGreaterThan(3);
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
