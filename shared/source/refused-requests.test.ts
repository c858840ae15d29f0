/** Refused requests: counted by reason, logged once a minute and address. */
import { expect, test } from "bun:test";
import { Registry } from "prom-client";
import type { Logger } from "../log.ts";
import { RefusedRequests } from "./refused-requests.ts";

test("counts each refusal by its reason, and logs the first of an address in a minute", async () => {
  const registry = new Registry();
  const logged: unknown[] = [];
  const log = { warn: (fields: unknown) => logged.push(fields) } as unknown as Logger;
  const refused = new RefusedRequests(registry, log);
  const unknown = (atMs: number): void => refused.count("unknown-credential", "192.0.2.1", "/a", atMs);
  for (const atMs of [0, 1_000]) unknown(atMs);
  refused.count("wrong-token", "192.0.2.2", "/b", 1_000);
  for (const atMs of [59_999, 60_000]) unknown(atMs);
  const text = await registry.metrics();
  expect(text).toContain('flockcast_source_refused_total{why="unknown-credential"} 4');
  expect(text).toContain('flockcast_source_refused_total{why="wrong-token"} 1');
  expect(text).toContain('flockcast_source_refused_total{why="no-credential"} 0');
  expect(logged).toEqual([
    { why: "unknown-credential", address: "192.0.2.1", path: "/a" },
    { why: "wrong-token", address: "192.0.2.2", path: "/b" },
    { why: "unknown-credential", address: "192.0.2.1", path: "/a" },
  ]);
});
