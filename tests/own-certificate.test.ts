/** The certificate that the source issues itself, with real processes: no device is touched. */
import { X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { startSource, type Source } from "../scripts/rig/deployment.ts";
import { logTail } from "../scripts/rig/process.ts";
import { programsFromSource } from "../scripts/rig/programs.ts";
import { makeCertificate } from "../shared/api/testing-certificates.ts";
import { openLedgerReadOnly } from "../shared/cache/index.ts";
import { connectPeer } from "../shared/net/web/tls-peer.ts";
import { programsWithPreload } from "../scripts/rig/programs.ts";
import { createCleanups } from "./cleanups.ts";
import { until, type Harness, type Peer } from "./harness.ts";

const { addCleanup, open } = createCleanups();
const waitMs = 90_000;

/** Certificate with which a source answers, DER in base64. */
async function certificateAt(url: string): Promise<string> {
  const { socket } = await connectPeer(url);
  const { raw } = socket.getPeerCertificate();
  socket.destroy();
  return raw.toString("base64");
}

const identityOf = (peer: Peer) => {
  const ledger = openLedgerReadOnly(peer.data);
  try {
    return ledger.identity()!;
  } finally {
    ledger.close();
  }
};

/** Waits until the device has checked in at the source, whose certificate is that of the key. */
const untilFollowed = (peer: Peer, spkiBefore: string | null): Promise<true> =>
  until(
    () => logTail(peer.program, 15),
    waitMs,
    async () => {
      const { connected, lostContact } = await peer.status();
      return (connected && lostContact === null && identityOf(peer).tlsSpki !== spkiBefore) || null;
    },
  );

async function expectSameDevice(harness: Harness, peer: Peer): Promise<void> {
  const devices = JSON.parse(await harness.source.admin("device", "list", "--json")) as { id: string }[];
  expect(devices.map(({ id }) => id)).toEqual([peer.id]);
}

test("a device stays connected while the source renews its certificate, again and again", async () => {
  const preload = join(import.meta.dir, "short-certificates.ts");
  const harness = await open({ programs: programsWithPreload(preload) });
  const peer = await harness.startPeer();
  const { url } = harness.source;
  expect(url).toStartWith("https://127.0.0.1:");
  const { tlsSpki } = identityOf(peer);
  const seen = new Set<string>();
  await until(
    () => logTail(harness.source.program, 15),
    waitMs,
    async () => {
      // A handshake fails in the moment in which the port is opened again.
      seen.add((await certificateAt(url).catch(() => null)) ?? [...seen][0]!);
      // The event stream of the device stays open.
      expect((await peer.status()).connected).toBe(true);
      return seen.size > 2 || null;
    },
  );
  expect(identityOf(peer).tlsSpki).toBe(tlsSpki);
  await peer.stop();
  peer.restart();
  await until(
    () => logTail(peer.program, 15),
    waitMs,
    async () => (await peer.status().catch(() => null))?.connected || null,
  );
  expect(identityOf(peer).tlsSpki).toBe(tlsSpki);
  await expectSameDevice(harness, peer);
}, 180_000);

test("a device follows a source whose own key is removed, and which then uses a given certificate", async () => {
  const harness = await open({ sourceArgs: ["--name", "source.example"] });
  const { data, url, program } = harness.source;
  const peer = await harness.startPeer();
  let { tlsSpki } = identityOf(peer);
  await program.stop();
  for (const name of ["tls.key", "tls.crt"]) await rm(join(data, name));
  await harness.source.restart();
  await untilFollowed(peer, tlsSpki);
  ({ tlsSpki } = identityOf(peer));
  await harness.source.program.stop();
  const folder = await mkdtemp(join(tmpdir(), "flockcast-given-"));
  addCleanup(() => rm(folder, { recursive: true, force: true }));
  const given = await makeCertificate(folder, { name: "given", key: "rsa", period: "expired" });
  const words = ["--tls-cert", given.certFile, "--tls-key", given.keyFile];
  const listen = new URL(url).host;
  const again: Source = await startSource({ programs: programsFromSource, data, listen, args: words });
  addCleanup(() => again.program.stop("SIGKILL"));
  await untilFollowed(peer, tlsSpki);
  await expectSameDevice(harness, peer);
}, 180_000);

test("the files are private, and who trusts the certificate reaches the source by its names", async () => {
  const harness = await open({ sourceArgs: ["--name", "source.example", "--name", "192.0.2.7"] });
  const { data, url } = harness.source;
  const cert = await readFile(join(data, "tls.crt"), "utf8");
  const certificate = new X509Certificate(cert);
  expect(certificate.checkHost("source.example")).toBe("source.example");
  expect(certificate.checkIP("192.0.2.7")).toBe("192.0.2.7");
  if (process.platform !== "win32")
    for (const name of ["tls.key", "tls.crt"])
      expect((await stat(join(data, name))).mode & 0o777).toBe(0o600);
  for (const host of ["127.0.0.1", "localhost"]) {
    const health = `https://${host}:${new URL(url).port}/healthz`;
    expect((await fetch(health, { tls: { ca: cert, rejectUnauthorized: true } })).status).toBe(200);
    await expect(fetch(health, { tls: { rejectUnauthorized: true } })).rejects.toThrow();
  }
}, 60_000);
