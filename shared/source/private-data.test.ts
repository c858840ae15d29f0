/** Data folder and key files of a source and of its administrators, among other users. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificate } from "../api/testing-certificates.ts";
import { createLogger } from "../log.ts";
import { connect } from "./commands/connect.ts";
import { openSqliteCatalog } from "./catalog/index.ts";
import { loadTls } from "./listen.ts";
import { loadOrCreatePublisherKey } from "./publishing/publisher-key.ts";
import { startSource, type RunningSource } from "./server.ts";

let folder = "";
const at = (...parts: string[]): string => join(folder, ...parts);
const modeOf = (path: string): number => statSync(path).mode & 0o777;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "flockcast-private-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const start = (): Promise<RunningSource> =>
  startSource({
    dataDir: at("data"),
    listen: { host: "127.0.0.1", port: 0 },
    log: createLogger("test", "silent"),
  });

test("a source closes a folder and files that were put back with wider modes", async () => {
  await (await start()).stop();
  expect(modeOf(at("data"))).toBe(0o700);
  chmodSync(at("data"), 0o755);
  for (const side of ["-wal", "-shm"]) writeFileSync(at("data", `catalog.db${side}`), "");
  const files = [
    "catalog.db",
    "catalog.db-wal",
    "catalog.db-shm",
    "admin.token",
    "enroll.token",
    "identity.key",
  ];
  for (const name of files) chmodSync(at("data", name), 0o644);
  const again = await start();
  expect(modeOf(at("data"))).toBe(0o700);
  for (const name of readdirSync(at("data")))
    expect([name, modeOf(at("data", name))]).toEqual([name, name === "packages" ? 0o700 : 0o600]);
  await again.stop();
});

test("a catalog that is opened alone is narrowed with its side files", async () => {
  const path = at("catalog.db");
  (await openSqliteCatalog(path)).close();
  writeFileSync(`${path}-wal`, "");
  for (const name of [path, `${path}-wal`]) chmodSync(name, 0o644);
  const catalog = await openSqliteCatalog(path);
  for (const name of [path, `${path}-wal`]) if (existsSync(name)) expect(modeOf(name)).toBe(0o600);
  catalog.close();
});

test("a source refuses a folder that other users could write", async () => {
  await (await start()).stop();
  chmodSync(at("data"), 0o777);
  await expect(start()).rejects.toThrow(/data" can be written by other users \(mode 0777\).*chmod go-w/);
});

test("the publisher's key is refused while others can read it, and made in a private folder", async () => {
  const key = at("keys", "publisher.key");
  const made = await loadOrCreatePublisherKey(key);
  expect([modeOf(at("keys")), modeOf(key)]).toEqual([0o700, 0o600]);
  chmodSync(key, 0o644);
  await expect(loadOrCreatePublisherKey(key)).rejects.toThrow(
    `The publisher's key "${key}" can be used by other users (mode 0644): chmod 600 "${key}"`,
  );
  chmodSync(key, 0o600);
  expect((await loadOrCreatePublisherKey(key)).publicKey).toEqual(made.publicKey);
});

test("a TLS key and a token file that others can read are refused", async () => {
  mkdirSync(at("tls"));
  const { certFile, keyFile } = await makeCertificate(at("tls"), { name: "one" });
  await loadTls(certFile, keyFile);
  chmodSync(keyFile, 0o644);
  await expect(loadTls(certFile, keyFile)).rejects.toThrow(`chmod 600 "${keyFile}"`);

  await (await start()).stop();
  const tokenFile = at("data", "admin.token");
  const options = { source: "http://127.0.0.1:1", tokenFile };
  await connect(options, {});
  chmodSync(tokenFile, 0o640);
  await expect(connect(options, {})).rejects.toThrow(`chmod 600 "${tokenFile}"`);
});
