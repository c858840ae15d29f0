/** Digests of a folder and their signature, checked as a user does: with openssl and sha256sum. */
import { generateKeyPairSync, verify, type KeyObject } from "node:crypto";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { billFile } from "./bill-of-materials.ts";
import { readReleaseKey, signatureFile, signSums, sumsFile, writeSums } from "./sums.ts";

let folder = "";
let keyFile = "";
let publicKey: KeyObject;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "flockcast-sums-"));
  keyFile = join(folder, "release.key");
  const pair = generateKeyPairSync("ed25519");
  publicKey = pair.publicKey;
  await writeFile(keyFile, pair.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  await writeFile(join(folder, "release.pub"), publicKey.export({ type: "spki", format: "pem" }));
  for (const name of ["flockcast-peer-linux-x64-musl", "flockcast-source-windows-x64.exe"])
    await writeFile(join(folder, name), name);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const run = (...words: string[]): number => Bun.spawnSync(words, { cwd: folder }).exitCode;
const opensslCheck = (): number =>
  run(
    "openssl",
    "pkeyutl",
    "-verify",
    "-pubin",
    "-inkey",
    "release.pub",
    "-rawin",
    "-in",
    sumsFile,
    "-sigfile",
    signatureFile,
  );

test("lists the executables and their bill of materials, which names the runtime of each", async () => {
  await writeSums(folder);
  const names = (await readFile(join(folder, sumsFile), "utf8")).match(/(?<= {2}).+/g);
  expect(names).toEqual(["flockcast-peer-linux-x64-musl", "flockcast-source-windows-x64.exe", billFile]);
  const { components } = await Bun.file(join(folder, billFile)).json();
  expect(components.filter(({ type }: { type: string }) => type === "platform")).toMatchObject([
    { name: "@oven/bun-linux-x64-musl" },
    { name: "@oven/bun-windows-x64" },
  ]);
});

test("the signature is that of the key over the digests, and does not survive other digests", async () => {
  await writeSums(folder);
  await signSums(folder, await readReleaseKey(keyFile));
  const [sums, signature] = [
    await readFile(join(folder, sumsFile)),
    await readFile(join(folder, signatureFile)),
  ];
  expect(verify(null, sums, publicKey, signature)).toBe(true);
  await writeFile(join(folder, "flockcast-peer-linux-x64-musl"), "another build");
  await writeSums(folder);
  expect(await Bun.file(join(folder, signatureFile)).exists()).toBe(false);
});

test.skipIf(Bun.which("openssl") === null || Bun.which("sha256sum") === null)(
  "openssl and sha256sum accept a signed folder, and refuse a changed one",
  async () => {
    await writeSums(folder);
    await signSums(folder, await readReleaseKey(keyFile));
    expect([opensslCheck(), run("sha256sum", "--check", sumsFile)]).toEqual([0, 0]);
    await writeFile(join(folder, "flockcast-peer-linux-x64-musl"), "changed");
    expect([opensslCheck(), run("sha256sum", "--check", sumsFile)]).toEqual([0, 1]);
    await writeFile(join(folder, sumsFile), `${await readFile(join(folder, sumsFile), "utf8")}\n`);
    expect(opensslCheck()).not.toBe(0);
  },
);

test("a release key is a private Ed25519 key that nobody else may read", async () => {
  if (process.platform !== "win32") {
    await chmod(keyFile, 0o644);
    await expect(readReleaseKey(keyFile)).rejects.toThrow(/Other users may read.*chmod 600/);
    await chmod(keyFile, 0o600);
  }
  const other = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  for (const text of [other.export({ type: "pkcs8", format: "pem" }), "no key"]) {
    await writeFile(keyFile, text);
    await expect(readReleaseKey(keyFile)).rejects.toThrow(
      "is not a private Ed25519 key: make one with openssl",
    );
  }
});
