/**
 * Runtimes from a package registry: the pinned one is used, another one is refused before any byte
 * of it runs. The registry is a real HTTP server, the client is the machine's npm.
 */
import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "bun:test";
import packageJson from "../../package.json" with { type: "json" };
import { keptRuntime, packagesOfHost, pinned } from "./runtimes.mjs";
import { buildTargets } from "./targets.ts";

const root = join(import.meta.dir, "..", "..");
const [node, npm] = [Bun.which("node"), Bun.which("npm")];
/** Name that the machine's npm asks the registry for. */
const [runtimeName = ""] = packagesOfHost();
const folders: string[] = [];
let registry: ReturnType<typeof Bun.serve>;
let archive: Buffer;

/** Returns a file in a tar archive (ustar). */
function tarFile(name: string, bytes: Buffer): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write(["0000755", "0000000", "0000000", ""].join("\0"), 100);
  header.write(`${bytes.length.toString(8).padStart(11, "0")}\0${"0".repeat(11)}\0        0`, 124);
  header.write(["ustar", "00"].join("\0"), 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return Buffer.concat([header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}

/** Returns an archive with one file, as npm packs it. */
function packageOf(path: string, text: string): Buffer {
  const description = Buffer.from(JSON.stringify({ name: runtimeName, version: pinned.version }));
  return gzipSync(
    Buffer.concat([
      tarFile("package/package.json", description),
      tarFile(path, Buffer.from(text)),
      Buffer.alloc(1_024),
    ]),
  );
}

const integrityOf = (bytes: Buffer): string =>
  `sha512-${createHash("sha512").update(bytes).digest("base64")}`;

beforeAll(() => {
  // A program that answers as Bun does, and notes that it ran.
  const program = `#!/bin/sh\necho ran >> "$MARKER"\ncase "$1" in --version) echo ${pinned.version};; install) /bin/mkdir -p node_modules;; *) echo "started $*";; esac\n`;
  archive = packageOf(pinned.packages[runtimeName]?.executable ?? "package/bin/bun", program);
  registry = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      const { origin, pathname } = new URL(request.url);
      if (pathname.endsWith(".tgz")) return new Response(archive);
      // The registry is consistent in itself: npm alone would accept the package.
      const dist = { tarball: `${origin}/bun.tgz`, integrity: integrityOf(archive) };
      const { version } = pinned;
      const versions = { [version]: { name: runtimeName, version, dist } };
      return Response.json({ name: runtimeName, "dist-tags": { latest: version }, versions });
    },
  });
});
afterAll(async () => {
  await registry.stop(true);
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

/** Runs the bootstrap in a copy of the project without Bun. @param pins of the copy */
async function bootstrapped(pins: object) {
  const folder = await mkdtemp(join(tmpdir(), "flockcast-runtimes-"));
  folders.push(folder);
  await mkdir(join(folder, "scripts", "build"), { recursive: true });
  for (const name of ["package.json", "bun.lock", "scripts/bootstrap.mjs", "scripts/build/runtimes.mjs"])
    await cp(join(root, name), join(folder, name));
  await writeFile(join(folder, "scripts", "build", "runtimes.json"), JSON.stringify(pins));
  const marker = join(folder, "marker");
  // No other program is on the PATH, in particular no Bun.
  const path = join(folder, "bin");
  await mkdir(path);
  for (const program of [node!, npm!]) await symlink(program, join(path, basename(program)));
  const child = Bun.spawn([node!, "scripts/bootstrap.mjs", "scripts/hello.ts", "word"], {
    cwd: folder,
    env: {
      PATH: path,
      HOME: folder,
      MARKER: marker,
      npm_config_registry: registry.url.origin,
      npm_config_userconfig: join(folder, "none"),
    },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  const hasRun = await Bun.file(marker).exists();
  return { folder, status: await child.exited, out, err, hasRun };
}

const withNpm = test.skipIf(node === null || npm === null || process.platform === "win32");

withNpm(
  "a runtime with another digest than the pinned one is refused, and never runs",
  async () => {
    const { folder, status, err, hasRun } = await bootstrapped(pinned);
    expect([status, hasRun]).toEqual([1, false]);
    expect(err).toContain(
      `${runtimeName} ${pinned.version} from the package registry is not the pinned package`,
    );
    expect(keptRuntime(runtimeName, join(folder, ".bun"))).toBeNull();
  },
  60_000,
);

withNpm(
  "the pinned runtime is fetched once, and runs the script",
  async () => {
    const runtime = { ...pinned.packages[runtimeName], integrity: integrityOf(archive) };
    const pins = { ...pinned, packages: { [runtimeName]: runtime } };
    const { status, out, err, hasRun } = await bootstrapped(pins);
    expect(err.trim()).toBe(`Fetching ${runtimeName} ${pinned.version} …`);
    expect([status, hasRun]).toEqual([0, true]);
    expect(out).toMatch(/^started .*scripts\/hello\.ts word\n$/);
  },
  60_000,
);

withNpm(
  "another version of Bun in package.json than that of the digests is refused",
  async () => {
    const { status, err } = await bootstrapped({ ...pinned, version: "1.0.0" });
    expect([status, err]).toEqual([1, expect.stringContaining("bring both to one version")]);
  },
  60_000,
);

test("every target of a build has a pinned runtime of the project's Bun", async () => {
  expect(packageJson.packageManager).toBe(`bun@${pinned.version}`);
  for (const { runtimePackage, suffix } of buildTargets)
    expect([runtimePackage, pinned.packages[runtimePackage]]).toEqual([
      runtimePackage,
      {
        integrity: expect.stringMatching(/^sha512-[\w+/]{86}==$/),
        executable: `package/bin/bun${suffix}`,
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
    ]);
});

test("nothing but the pinned runtimes and the lock file brings programs from a registry", async () => {
  const lock = await readFile(join(root, "bun.lock"), "utf8");
  const entries = lock.split("\n").filter((line) => /^ {4}"[^"]+": \[/.test(line));
  expect(entries.length).toBeGreaterThan(40);
  expect(entries.filter((line) => !/"sha512-[\w+/]{86}=="\],?$/.test(line))).toEqual([]);
  const scripts = new Bun.Glob("**/*.{ts,mjs}");
  const downloads: string[] = [];
  for await (const name of scripts.scan({ cwd: join(root, "scripts") })) {
    const text = await readFile(join(root, "scripts", name), "utf8");
    if (!name.includes(".test.") && /"(npm|npx|bunx)"|install\.js|--target=bun-/.test(text))
      downloads.push(name);
  }
  expect(downloads).toEqual(["build/runtimes.mjs"]);
});
