/** The certificate of the source's own making: files, renewal and replacement, on a set clock. */
import { X509Certificate } from "node:crypto";
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { createLogger } from "../log.ts";
import { certificateNames, parseCertificateName } from "./certificate-names.ts";
import { OwnCertificate } from "./own-certificate.ts";

const dayMs = 86_400_000;
const startMs = Date.UTC(2031, 0, 6);

let folder: string;
let nowMs: number;
let names: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "flockcast-own-"));
  nowMs = startMs;
  names = ["source.example", "192.0.2.7"];
});
afterEach(() => rm(folder, { recursive: true }));

const open = (): Promise<OwnCertificate> =>
  OwnCertificate.open({
    dataDir: folder,
    names: () => names,
    nowMs: () => nowMs,
    log: createLogger("test", "silent"),
  });
const file = (name: "tls.key" | "tls.crt"): string => join(folder, name);
const textOf = (name: "tls.key" | "tls.crt"): Promise<string> => readFile(file(name), "utf8");

test("key and certificate are private files that stay over a start", async () => {
  const { tls } = await open();
  expect([tls.key, tls.cert]).toEqual([await textOf("tls.key"), await textOf("tls.crt")]);
  if (process.platform !== "win32") await chmod(file("tls.key"), 0o644);
  expect((await open()).tls).toEqual(tls);
  if (process.platform === "win32") return;
  for (const name of ["tls.key", "tls.crt"] as const)
    expect((await stat(file(name))).mode & 0o777).toBe(0o600);
});

test("the certificate is renewed when a third of its life is left, with the same key", async () => {
  const own = await open();
  const first = own.tls;
  nowMs = startMs + 240 * dayMs;
  expect(await own.renew()).toBeNull();
  nowMs = startMs + 245 * dayMs;
  const second = await own.renew();
  expect(second).toEqual(own.tls);
  expect(second!.cert).not.toBe(first.cert);
  expect([second!.key, second!.spki]).toEqual([first.key, first.spki]);
  expect(Date.parse(new X509Certificate(second!.cert).validTo)).toBe(nowMs + 365 * dayMs);
  expect(await textOf("tls.crt")).toBe(second!.cert);
  expect(await own.renew()).toBeNull();
});

test("a start after the end of the certificate, or with a clock before its begin, issues another one", async () => {
  const first = (await open()).tls;
  nowMs = startMs + 900 * dayMs;
  const second = (await open()).tls;
  nowMs = startMs;
  const third = (await open()).tls;
  expect(new Set([first.cert, second.cert, third.cert]).size).toBe(3);
  expect(new Set([first.spki, second.spki, third.spki]).size).toBe(1);
});

test("a start with another name issues another certificate, and one with fewer names does not", async () => {
  const first = (await open()).tls;
  names = ["source.example"];
  expect((await open()).tls.cert).toBe(first.cert);
  names = ["source.example", "*.branch.example", "2001:db8::7"];
  const second = (await open()).tls;
  expect(second.cert).not.toBe(first.cert);
  expect(new X509Certificate(second.cert).checkIP("2001:db8::7")).toBeDefined();
  expect((await open()).tls.cert).toBe(second.cert);
});

test.each([
  ["tls.key", ""],
  ["tls.key", "nonsense"],
  ["tls.crt", ""],
  ["tls.crt", "nonsense"],
] as const)("a %s of %p is replaced", async (name, text) => {
  const first = (await open()).tls;
  await writeFile(file(name), text);
  const second = (await open()).tls;
  expect(new X509Certificate(second.cert).validTo).toBe(new X509Certificate(first.cert).validTo);
  expect(second.spki === first.spki).toBe(name === "tls.crt");
  expect([second.key, second.cert]).toEqual([await textOf("tls.key"), await textOf("tls.crt")]);
});

test("a certificate that cannot be renewed stays in use", async () => {
  const own = await open();
  const first = own.tls;
  // A folder in the place of the draft, as a full disk would, lets no file be written.
  await Bun.write(join(folder, "tls.crt.new", "in-the-way"), "x");
  nowMs = startMs + 300 * dayMs;
  expect(await own.renew()).toBeNull();
  expect(own.tls).toEqual(first);
  expect((await open()).tls).toEqual(first);
});

const at = (host: string, ...given: string[]): string[] => certificateNames({ host, port: 1 }, given);

test("names are those given, and those of the address to listen on", () => {
  const local = ["localhost", "127.0.0.1", "::1"];
  expect(at("127.0.0.1")).toEqual(["127.0.0.1", "localhost", "::1"]);
  expect(at("127.0.0.9", "a.example")).toEqual(["a.example", "127.0.0.9", ...local]);
  expect(at("192.0.2.7")).toContain("192.0.2.7");
  expect(at("192.0.2.7")).not.toContain("127.0.0.1");
  expect(at("0.0.0.0")).toEqual(expect.arrayContaining(local));
  expect(at("::").some((name) => name.startsWith("fe80:"))).toBe(false);
  const own = hostname().toLowerCase();
  if (/^[a-z][a-z0-9-]*$/.test(own)) expect(at("0.0.0.0")[0]).toBe(own);
});

test.each([
  ["Source.Example", "source.example"],
  ["source.example.", "source.example"],
  ["*.branch.example", "*.branch.example"],
  ["bücher.example", "xn--bcher-kva.example"],
  ["2001:DB8::7", "2001:db8::7"],
  ["192.0.2.7", "192.0.2.7"],
])("--name %p stands in the certificate as %p", (text, name) => {
  expect(parseCertificateName(text)).toBe(name);
});

test.each(["", "a b", "https://source.example", "source.example:7443", "-a.example", "fe80::1%eth0", "a/b"])(
  "--name %p is refused",
  (text) => {
    expect(() => parseCertificateName(text)).toThrow(`--name "${text}" is not a host name`);
  },
);
