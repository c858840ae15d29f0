/**
 * Standalone executables for this machine: version, digests, and a task from publish to complete.
 * Those for old processors run on an emulated one, or are skipped (network-test.ts).
 */
import { generateKeyPairSync, verify } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "bun:test";
import packageJson from "../package.json" with { type: "json" };
import { billFile } from "../scripts/build/bill-of-materials.ts";
import { build } from "../scripts/build/build.ts";
import { roleNames } from "../scripts/build/executable.ts";
import { parseTargets } from "../scripts/build/targets.ts";
import { outputOf, runToEnd } from "../scripts/rig/process.ts";
import { programsFromFolder, programsFromSource } from "../scripts/rig/programs.ts";
import { digestFile } from "../scripts/rig/verify.ts";
import { createCleanups } from "./cleanups.ts";
import { openHarness } from "./harness.ts";
import { emulatorTest, networkTest } from "./network-test.ts";

let folder = "";
let files: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flockcast-executables-"));
  files = await build(parseTargets([]), roleNames, folder);
}, 120_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

test("prints the project's version, whatever files its working folder has", async () => {
  const cwd = await mkdtemp(join(folder, "cwd-"));
  await writeFile(join(cwd, "bunfig.toml"), "this is = not [toml");
  await writeFile(join(cwd, ".env"), "FLOCKCAST_LOG=nonsense\n");
  for (const file of files) {
    const run = Bun.spawnSync([file, "--version"], { cwd, stdin: "ignore" });
    expect([basename(file), run.exitCode, run.stdout.toString().trim()]).toEqual([
      basename(file),
      0,
      packageJson.version,
    ]);
  }
  expect(files).toHaveLength(roleNames.length);
});

test("lists every executable and the bill of materials with their digests in SHA256SUMS", async () => {
  const sums = (await readFile(join(folder, "SHA256SUMS"), "utf8")).trim().split("\n");
  const expected: string[] = [];
  for (const file of [...files, join(folder, billFile)])
    expected.push(`${await digestFile(file)}  ${basename(file)}`);
  expect(sums.toSorted()).toEqual(expected.toSorted());
});

test("has the same bytes when another checkout builds it later, and signed digests", async () => {
  const root = join(import.meta.dir, "..");
  const other = await mkdtemp(join(folder, "another checkout "));
  for (const name of ["roles", "shared", "scripts", "package.json", "bun.lock"])
    await cp(join(root, name), join(other, name), { recursive: true });
  // Dependencies, and runtimes that were fetched.
  for (const name of ["node_modules", ".bun"])
    if (existsSync(join(root, name))) await symlink(join(root, name), join(other, name));
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const key = join(folder, "release.key");
  await writeFile(key, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  const words = [process.execPath, "scripts/build.ts", "--role", "peer", "--out", "built here"];
  const env = { ...process.env, FLOCKCAST_RELEASE_KEY: key, TZ: "Asia/Tokyo", LANG: "C" };
  const run = Bun.spawnSync(words, { cwd: other, env, stderr: "inherit" });
  expect([run.exitCode, run.stdout.toString()]).toEqual([0, expect.stringContaining("SHA256SUMS.sig")]);
  const first = files.find((file) => basename(file).startsWith("flockcast-peer-"))!;
  const built = (name: string): string => join(other, "built here", name);
  expect(await digestFile(built(basename(first)))).toBe(await digestFile(first));
  const [sums, signature] = [await readFile(built("SHA256SUMS")), await readFile(built("SHA256SUMS.sig"))];
  expect(verify(null, sums, publicKey, signature)).toBe(true);
}, 120_000);

const oldProcessorTest = await emulatorTest({ "qemu-x86_64": "qemu-user" });

oldProcessorTest(
  "for processors without AVX print their version and complete a task on such a processor",
  async () => {
    const oldFolder = await mkdtemp(join(folder, "old-"));
    const [old] = await build(parseTargets(["linux-x64-baseline"]), ["peer"], oldFolder);
    const programs = programsFromFolder(oldFolder, "linux-x64-baseline", ["qemu-x86_64", "-cpu", "Nehalem"]);
    expect((await outputOf(["qemu-x86_64", "-cpu", "Nehalem", old!, "--version"])).trim()).toBe(
      packageJson.version,
    );
    // The emulator cannot join a group: the peer fetches by LAN unicast.
    await using harness = await openHarness({
      programs: {
        commandOf: (role) => (role === "peer" ? programs : programsFromFolder(folder)).commandOf(role),
      },
    });
    const representative = await harness.startPeer({ role: "representative" });
    const peer = await harness.startPeer();
    const original = await harness.makeFile("tool.bin", 3_000_001);
    const packageId = await harness.publish(original, { name: "tool", version: "1.2" });
    await harness.waitUntilComplete(await harness.createTask(packageId), [representative, peer]);
    expect(await harness.copyError(peer, original, "tool", "1.2")).toBeNull();
  },
  120_000,
);

test("completes a task with right copies on a source and two peers run as executables", async () => {
  await using harness = await openHarness({ programs: programsFromFolder(folder) });
  const peers = await harness.startPeers(2);
  const original = await harness.makeFile("tool.bin", 3_000_001);
  const packageId = await harness.publish(original, { name: "tool", version: "1.2" });
  await harness.waitUntilComplete(await harness.createTask(packageId), peers);
  for (const peer of peers) expect(await harness.copyError(peer, original, "tool", "1.2")).toBeNull();
}, 120_000);

test("serve the console from the executable of the source, as a script does", async () => {
  const kinds: string[][] = [];
  for (const programs of [programsFromFolder(folder), programsFromSource]) {
    await using harness = await openHarness({ programs });
    const get = (path: string) =>
      fetch(`${harness.source.url}${path}`, { tls: { rejectUnauthorized: false } });
    const page = await get("/");
    expect([page.status, page.headers.get("cache-control")]).toEqual([200, "no-cache"]);
    expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
    const addresses = [...(await page.text()).matchAll(/(?:src|href)="([^"]+)"/g)].map(([, one]) => one!);
    const parts = await Promise.all(addresses.map((address) => get(address)));
    const pages: number[] = [];
    for (const file of parts) {
      expect(file.status).toBe(200);
      expect(file.headers.get("cache-control")).toContain("immutable");
      const text = await file.text();
      expect(text.length).toBeGreaterThan(100);
      for (const [, later] of text.matchAll(/import\("([^"]+\.js)"\)/g))
        pages.push((await get(new URL(later!, harness.source.url).pathname)).status);
    }
    expect(pages.length).toBeGreaterThan(3);
    expect(new Set(pages)).toEqual(new Set([200]));
    kinds.push(parts.map((file) => file.headers.get("content-type") ?? ""));
  }
  expect(new Set(kinds[0]).size).toBe(3);
  expect(kinds[0]).toEqual(kinds[1]!);
}, 120_000);

/** Makes an authority, and a certificate for localhost that it has issued. */
function makeAuthority(at: string) {
  const path = (name: string): string => join(at, name);
  const openssl = (words: string): void => {
    const made = Bun.spawnSync(["openssl", ...words.split(" ")], { cwd: at });
    if (made.exitCode !== 0) throw new Error(made.stderr.toString());
  };
  const key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
  openssl(`req -x509 ${key} -days 2 -keyout ca.key -out ca.pem -subj /CN=Inspection-CA`);
  openssl(
    `req ${key} -keyout site.key -out site.csr -subj /CN=localhost -addext subjectAltName=DNS:localhost`,
  );
  openssl("x509 -req -in site.csr -CA ca.pem -CAkey ca.key -days 2 -copy_extensions copy -out site.pem");
  return {
    authority: path("ca.pem"),
    tls: { cert: Bun.file(path("site.pem")), key: Bun.file(path("site.key")) },
  };
}

const { addCleanup, open } = createCleanups();

networkTest("unshare", "mount", "openssl")(
  "trusts web sites of an authority in the system's store, from source and as an executable",
  async () => {
    const harness = await open();
    const { authority, tls } = makeAuthority(harness.folder);
    const site = Bun.serve({ hostname: "127.0.0.1", port: 0, tls, fetch: () => new Response("bytes") });
    addCleanup(() => site.stop(true));
    const bundle = "/etc/ssl/certs/ca-certificates.crt";
    const clean = ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR"].flatMap((name) => ["-u", name]);
    const url = `https://localhost:${site.port}/tool.bin`;
    const source = ["--source", harness.source.url, "--token-file", join(harness.source.data, "admin.token")];
    const publish = (command: readonly string[], store: string, name: string) => {
      const script = `mount --bind "${store}" ${bundle} && exec "$@"`;
      const words = ["publish", url, "--name", name, "--version", "1", "--key", join(harness.folder, "key")];
      return runToEnd([
        "env",
        ...clean,
        "unshare",
        "-m",
        "sh",
        "-c",
        script,
        "sh",
        ...command,
        ...words,
        ...source,
      ]);
    };
    for (const [name, programs] of Object.entries({
      executable: programsFromFolder(folder),
      script: programsFromSource,
    })) {
      const command = programs.commandOf("source");
      expect(await publish(command, authority, name)).toMatchObject({ status: 0 });
      const untrusted = await publish(command, bundle, `${name}2`);
      expect(untrusted.status).toBe(1);
      expect(untrusted.stderr).toContain('issued by "Inspection-CA", is not trusted');
    }
  },
  60_000,
);
