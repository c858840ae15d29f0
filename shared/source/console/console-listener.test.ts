import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { request } from "node:http";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "../../log.ts";
import { startSource, type RunningSource } from "../server.ts";
import { TestBrowser } from "../testing-browser.ts";
import type { ConsolePort } from "./console-listener.ts";

let folder: string;
let sources: RunningSource[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "flockcast-console-"));
});
afterEach(async () => {
  for (const source of sources) await source.stop();
  sources = [];
  await rm(folder, { recursive: true, force: true });
});

const free: ConsolePort = { port: 0, isChosen: false };

async function start(name: string, consolePort: ConsolePort): Promise<RunningSource> {
  const source = await startSource({
    dataDir: join(folder, name),
    listen: { host: "127.0.0.1", port: 0 },
    consolePort,
    log: createLogger("test", "silent"),
  });
  sources.push(source);
  return source;
}

type Answer = { readonly status: number; readonly text: string };

/** Sends a request whose Host header a page of another site would have. */
const ask = (url: string, headers: Record<string, string>, method = "GET"): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const sent = request(url, { method, headers }, (response) => {
      let text = "";
      response.on("data", (piece: Buffer) => (text += piece.toString()));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on("error", reject);
    sent.end();
  });

test("serves the console and the API for people by the names of loopback, and no other Host", async () => {
  const { consoleUrl } = await start("source", free);
  const { port } = new URL(consoleUrl!);
  for (const host of [
    `127.0.0.1:${port}`,
    `localhost:${port}`,
    `[::1]:${port}`,
    "LOCALHOST:9000",
    "localhost",
  ])
    expect([host, (await ask(`${consoleUrl}/`, { host })).status]).toEqual([host, 200]);
  for (const host of ["attacker.example", `attacker.example:${port}`, "localhost.attacker.example"]) {
    const refused = await ask(`${consoleUrl}/v1/sign-in`, { host });
    expect([host, refused.status < 300]).toEqual([host, false]);
    expect(refused.text).not.toContain("signedIn");
  }
  const state = await (await fetch(`${consoleUrl}/v1/set-up`)).json();
  expect(state).toEqual({ state: "open", certificate: "none", isSafe: true, consoleUrl });
  const ways = await (await fetch(`${consoleUrl}/v1/sign-in`)).json();
  expect(ways).toMatchObject({ provider: null, sourceUrl: sources[0]!.url });
});

test("answers no device, and believes no proxy about the client", async () => {
  const { consoleUrl } = await start("source", free);
  for (const path of ["/v1/agent/check-in", "/v1/agent/enroll", "/v1/identity"]) {
    const answer = await fetch(`${consoleUrl}${path}`, { method: path === "/v1/identity" ? "GET" : "POST" });
    expect([path, answer.status]).toEqual([path, 421]);
    expect(await answer.json()).toMatchObject({ hint: expect.stringContaining("https address") });
  }
  const headers = { "x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.9" };
  const { port } = new URL(consoleUrl!);
  const state = await ask(`${consoleUrl}/v1/set-up`, { host: `127.0.0.1:${port}`, ...headers });
  expect(JSON.parse(state.text)).toMatchObject({ isSafe: true, certificate: "none" });
});

test("signs in with a cookie that a browser keeps without TLS, and refuses pages of another port", async () => {
  const { consoleUrl, url } = await start("source", free);
  const token = (await readFile(join(folder, "source", "admin.token"), "utf8")).trim();
  const made = await fetch(`${consoleUrl}/v1/users`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ name: "anna", role: "administrator", password: "correct horse battery" }),
  });
  expect(made.status).toBe(200);
  const browser = new TestBrowser();
  const json = { user: "anna", password: "correct horse battery" };
  expect((await browser.send(`${consoleUrl}/v1/session`, { method: "POST", json })).status).toBe(200);
  expect(browser.refused).toEqual([]);
  expect((await browser.send(`${consoleUrl}/v1/devices`)).status).toBe(200);
  const foreign = { method: "DELETE", from: "same-site" } as const;
  expect((await browser.send(`${consoleUrl}/v1/session`, foreign)).status).toBe(403);
  // The cookie of loopback is none for the address with TLS.
  expect((await browser.send(`${url}/v1/devices`)).status).toBe(401);
}, 30_000);

test("listens on loopback only, and a taken port is an error only if a person named it", async () => {
  const first = await start("first", free);
  const port = Number(new URL(first.consoleUrl!).port);
  expect((await start("second", { port, isChosen: false })).consoleUrl).toBeNull();
  const outside = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  for (const { address } of outside.filter(({ internal, family }) => !internal && family === "IPv4"))
    await expect(fetch(`http://${address}:${port}/`)).rejects.toThrow();
  expect((await start("third", null)).consoleUrl).toBeNull();
  await expect(start("fourth", { port, isChosen: true })).rejects.toThrow(
    /another program uses this port; choose another one with --console-port PORT/,
  );
  await first.stop();
  sources = sources.filter((one) => one !== first);
  await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
}, 60_000);
