/** Files of the first tokens of a running source, whose trust file gets another root. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "../log.ts";
import type { TrustView } from "../api/schema/trust.ts";
import { readToken } from "../api/token.ts";
import { signStatementOf } from "../model/trust/index.ts";
import { newSigningKey } from "../model/trust/testing-trust.ts";
import { startSource, type RunningSource } from "./server.ts";
import { signingKeysIn } from "./trust/signing-keys.ts";

let folder: string;
let source: RunningSource;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "flockcast-token-files-"));
  source = await startSource({
    dataDir: folder,
    listen: { host: "127.0.0.1", port: 0 },
    tls: { kind: "none" },
    log: createLogger("test", "silent"),
  });
});
afterEach(async () => {
  await source.stop();
  await rm(folder, { recursive: true });
});

const textOf = async (name: string): Promise<string> => (await readFile(join(folder, name), "utf8")).trim();

test("another root changes the files, and ends no token whose file was moved away", async () => {
  const token = await textOf("admin.token");
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  await rm(join(folder, "admin.token"));
  const before = readToken(await textOf("enroll.token"))!;
  const { file } = (await (await fetch(`${source.url}/v1/trust`, { headers })).json()) as TrustView;
  const keys = (await signingKeysIn(folder))!;
  const root = { threshold: 1, keys: [keys.root.key, newSigningKey().key] };
  const signed = signStatementOf("trust", { ...file, version: file.version + 1, root }, [keys.root]);
  const body = JSON.stringify({ files: [signed] });
  const answer = await fetch(`${source.url}/v1/trust/files`, { method: "POST", headers, body });
  expect(answer.status).toBe(200);
  const after = readToken(await textOf("enroll.token"))!;
  expect([after.secret, after.root === before.root]).toEqual([before.secret, false]);
  expect(existsSync(join(folder, "admin.token"))).toBe(false);
  expect((await fetch(`${source.url}/v1/tasks`, { headers })).status).toBe(200);
});
