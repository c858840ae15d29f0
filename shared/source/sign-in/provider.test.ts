/** Requests for the discovery document of a provider, which anyone can cause. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { Provider } from "./provider.ts";

let requests: number;
let isUp: boolean;
let server: ReturnType<typeof Bun.serve>;
let issuer: string;
beforeEach(() => {
  [requests, isUp] = [0, true];
  server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch() {
      requests++;
      await Bun.sleep(20);
      if (!isUp) return new Response("", { status: 503 });
      const [authorization_endpoint, token_endpoint, jwks_uri] = ["a", "t", "k"].map((p) => `${issuer}/${p}`);
      return Response.json({ issuer, authorization_endpoint, token_endpoint, jwks_uri });
    },
  });
  issuer = server.url.origin;
});
afterEach(() => server.stop(true));

test("people who sign in at the same time cause one request", async () => {
  const provider = new Provider();
  await Promise.all(Array.from({ length: 20 }, () => provider.server(issuer, 0)));
  expect(requests).toBe(1);
});

test("a provider that is down is asked once at a time, and again later", async () => {
  const provider = new Provider();
  isUp = false;
  const asked = await Promise.allSettled(Array.from({ length: 20 }, () => provider.server(issuer, 0)));
  expect([requests, asked.filter(({ status }) => status === "rejected").length]).toEqual([1, 20]);
  isUp = true;
  expect(await provider.server(issuer, 0)).toMatchObject({ issuer });
  expect(requests).toBe(2);
});
