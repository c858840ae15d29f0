/** Certificates that the source issues, as OpenSSL and TLS clients of this system read them. */
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { issueCertificate } from "./issue-certificate.ts";

const dayMs = 86_400_000;
const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const issue = (names: readonly string[], notBeforeMs = Date.now() - dayMs): string =>
  issueCertificate({
    privateKey,
    commonName: "flockcast source",
    names,
    notBeforeMs,
    notAfterMs: notBeforeMs + 365 * dayMs,
  });

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flockcast-issue-"));
});
afterAll(() => rm(folder, { recursive: true }));

test("a certificate has its key, its dates, and its names, for few and for many of them", () => {
  const many = Array.from({ length: 300 }, (_, at) => `host-${at}.example`);
  for (const names of [[], ["source.example"], ["192.0.2.7", "2001:db8::7", "*.branch.example"], many]) {
    const certificate = new X509Certificate(issue(names));
    expect(certificate.checkPrivateKey(privateKey)).toBe(true);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    for (const name of names) {
      const isAddress = /^[\d.]+$|:/.test(name);
      const found = isAddress ? certificate.checkIP(name) : certificate.checkHost(name.replace("*", "any"));
      expect([name, found]).toEqual([name, name]);
    }
    expect(certificate.checkHost("elsewhere.invalid")).toBeUndefined();
  }
});

test.each([Date.UTC(2026, 0, 2, 3, 4, 5), Date.UTC(2049, 6, 1), Date.UTC(2050, 0, 1), Date.UTC(2099, 0, 1)])(
  "a certificate that begins at %i has these dates in seconds, in both forms of X.509",
  (startMs) => {
    const { validFrom, validTo } = new X509Certificate(issue([], startMs));
    expect([Date.parse(validFrom), Date.parse(validTo)]).toEqual([startMs, startMs + 365 * dayMs]);
  },
);

test("each certificate has another serial number of 16 bytes", () => {
  const serials = Array.from({ length: 50 }, () => new X509Certificate(issue([])).serialNumber);
  expect(new Set(serials).size).toBe(50);
  for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9A-F]{31}$/);
});

test("OpenSSL finds the certificate correct, and clients that trust it connect to its names only", async () => {
  const [certFile, cert] = [join(folder, "own.pem"), issue(["localhost", "127.0.0.1"])];
  await writeFile(certFile, cert);
  const verify = Bun.spawn(["openssl", "verify", "-x509_strict", "-CAfile", certFile, certFile], {
    stdout: "pipe",
    stderr: "pipe",
  });
  expect([await verify.exited, await verify.stderr.text()]).toEqual([0, ""]);
  await using server = Bun.serve({ port: 0, hostname: "127.0.0.1", tls: { cert, key }, fetch: () => ok() });
  const get = (host: string, ca?: string): Promise<string> =>
    fetch(`https://${host}:${server.port}`, { tls: { rejectUnauthorized: true, ...(ca && { ca }) } }).then(
      (answer) => answer.text(),
      (error: NodeJS.ErrnoException) => String(error.code),
    );
  expect(await get("127.0.0.1", cert)).toBe("ok");
  expect(await get("localhost", cert)).toBe("ok");
  expect(await get("localhost")).not.toBe("ok");
  expect(await get("127.0.0.2", cert)).not.toBe("ok");
});

const ok = (): Response => new Response("ok");
