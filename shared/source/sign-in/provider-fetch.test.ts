import { expect, test } from "bun:test";
import { isProtected, providerFetch } from "./provider-fetch.ts";

test.each([
  ["https://id.example/a", true],
  ["http://127.0.0.1:8080/a", true],
  ["http://[::1]/a", true],
  ["http://localhost/a", true],
  ["http://id.example/a", false],
  ["http://127.0.0.1.id.example/a", false],
  ["ftp://localhost/a", false],
])("may send secrets to %p: %p", (url, expected) => {
  expect(isProtected(new URL(url))).toBe(expected);
});

test("asks nothing of an address without TLS, follows no redirect, and reads a bounded answer", async () => {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: ({ url }) =>
      new URL(url).pathname === "/large"
        ? new Response("x".repeat(1_048_577))
        : Response.redirect("http://127.0.0.1:1/elsewhere", 302),
  });
  const { origin } = server.url;
  const init = { method: "GET", headers: {} };
  await expect(providerFetch("http://id.example/keys", init)).rejects.toThrow("http://id.example has no TLS");
  await expect(providerFetch(`${origin}/large`, init)).rejects.toThrow("more than 1048576 bytes");
  expect((await providerFetch(`${origin}/moved`, init)).status).toBe(302);
  await server.stop(true);
});
