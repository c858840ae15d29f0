/** Replacement of the TLS certificate of a port that listens, with real files and connections. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Hono } from "hono";
import { makeCertificate } from "../api/testing-certificates.ts";
import { createLogger } from "../log.ts";
import type { SourceEnv } from "./context.ts";
import { loadTls } from "./listen.ts";
import { Listener } from "./listener.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "flockcast-listener-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** Follows a usable certificate, as a broken certificate of an authority does. */
const brokenPart = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

test("a listener keeps its certificate when another one cannot be used", async () => {
  const files = await makeCertificate(folder, { name: "source", names: "IP:127.0.0.1" });
  const tls = await loadTls(files.certFile, files.keyFile);
  const app = new Hono<SourceEnv>().get("/", (c) => c.text(c.env.tlsSpki ?? ""));
  const log = createLogger("test", "silent");
  const listener = new Listener({
    app,
    listen: { host: "127.0.0.1", port: 0 },
    tls,
    trustedProxies: [],
    log,
  });
  try {
    const broken = { ...tls, cert: `${tls.cert}${brokenPart}`, spki: "another" };
    const problem = await listener.replaceTls(broken).catch((error: Error) => error.message);
    expect(problem).toContain("DECODE_ERROR");
    const answer = await fetch(`https://127.0.0.1:${listener.port}/`, { tls: { rejectUnauthorized: false } });
    expect(await answer.text()).toBe(tls.spki);
  } finally {
    await listener.stop(0);
  }
});

test("a certificate file with a broken further certificate is refused with its name", async () => {
  const files = await makeCertificate(folder, { name: "source", names: "IP:127.0.0.1" });
  await appendFile(files.certFile, brokenPart);
  await expect(loadTls(files.certFile, files.keyFile)).rejects.toThrow(
    `The certificates in "${files.certFile}" cannot be used`,
  );
});
