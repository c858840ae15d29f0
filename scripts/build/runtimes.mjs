/**
 * Runtimes of Bun by digest: fetches the package of one with npm, and uses it only if it has the
 * SHA-512 of runtimes.json. No script of a package runs. The registry, its mirrors and npm's cache
 * need not be trusted.
 *
 * Plain JavaScript for Node.js 20 or newer and for Bun, with Node.js modules only: bootstrap.mjs
 * uses this file before there is a Bun.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

export const pinned = JSON.parse(readFileSync(new URL("./runtimes.json", import.meta.url), "utf8"));

export class RuntimeError extends Error {}

const windows = process.platform === "win32";

/** Returns the packages whose executable may run on this machine, the best first. */
export function packagesOfHost() {
  const os = windows ? "windows" : process.platform;
  const arch = process.arch === "arm64" ? "aarch64" : process.arch;
  const report = process.report?.getReport() ?? {};
  const isMusl = process.platform === "linux" && report.header?.glibcVersionRuntime === undefined;
  const best = `@oven/bun-${os}-${arch}${isMusl ? "-musl" : ""}`;
  return [best, `${best}-baseline`].filter((name) => Object.hasOwn(pinned.packages, name));
}

/** Returns the SHA-256 of a file, in hex; null when there is none. */
export const sha256Of = (path) =>
  existsSync(path) ? createHash("sha256").update(readFileSync(path)).digest("hex") : null;

/**
 * Returns the path at which a runtime's executable is kept below `folder`.
 * @param folder keeps runtimes of several versions
 */
function placeOf(name, folder) {
  const runtime = pinned.packages[name];
  if (runtime === undefined)
    throw new RuntimeError(`The runtime ${name} is not in scripts/build/runtimes.json`);
  const file = runtime.executable.endsWith(".exe") ? "bun.exe" : "bun";
  return { runtime, place: join(folder, `${name.replace("@oven/", "")}-${pinned.version}`), file };
}

/** Returns the path of a runtime that was fetched before, and has its digest; null without one. */
export function keptRuntime(name, folder) {
  const { runtime, place, file } = placeOf(name, folder);
  return sha256Of(join(place, file)) === runtime.sha256 ? join(place, file) : null;
}

/**
 * Returns the path of a runtime's executable below `folder`, and fetches it if it is missing there.
 * @param name package, such as @oven/bun-linux-x64
 * @param folder keeps runtimes of several versions
 * @param note told that a download begins
 * @throws RuntimeError when the package cannot be fetched, or has another digest
 */
export function fetchRuntime(name, folder, note) {
  const kept = keptRuntime(name, folder);
  if (kept !== null) return kept;
  const { runtime, place, file } = placeOf(name, folder);
  note?.(`Fetching ${name} ${pinned.version} …`);
  mkdirSync(place, { recursive: true });
  const work = mkdtempSync(join(place, "download-"));
  try {
    const draft = join(work, "executable");
    writeFileSync(draft, executableIn(pack(name, work), runtime, name), { mode: 0o755 });
    renameSync(draft, join(place, file));
    return join(place, file);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Returns the bytes of the package as the registry sends them. */
function pack(name, folder) {
  const words = [
    "pack",
    `${name}@${pinned.version}`,
    "--ignore-scripts",
    "--silent",
    "--pack-destination",
    folder,
  ];
  const run = npm(words, folder);
  if (run.error?.code === "ENOENT") {
    throw new RuntimeError(
      `Cannot fetch ${name}: npm was not found. Install Node.js 20 or newer with npm, or Bun ${pinned.version} itself (https://bun.sh)`,
    );
  }
  const archive = readdirSync(folder).find((file) => file.endsWith(".tgz"));
  if (run.status !== 0 || archive === undefined) {
    const said = `${run.stdout ?? ""}${run.stderr ?? ""}`.trim();
    throw new RuntimeError(
      `Cannot fetch ${name} ${pinned.version}: npm ended with status ${run.status ?? run.signal}. Is the package registry reachable (network, proxy)?${said && `\n${said}`}`,
    );
  }
  return readFileSync(join(folder, archive));
}

/**
 * Runs npm: its entry point if npm started this process, otherwise npm on PATH. On Windows npm on
 * PATH is a .cmd, which needs a shell.
 */
function npm(words, folder) {
  const entry = process.env.npm_execpath ?? "";
  const isEntry = /npm-cli\.[cm]?js$/.test(entry);
  const shell = windows && !isEntry;
  const quoted = shell ? words.map((word) => `"${word}"`) : words;
  const [command, args] = isEntry ? [process.execPath, [entry, ...quoted]] : ["npm", quoted];
  return spawnSync(command, args, {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
    encoding: "utf8",
    shell,
    windowsHide: true,
  });
}

/** Returns the executable of a package that has its digest. */
function executableIn(archive, runtime, name) {
  const integrity = `sha512-${createHash("sha512").update(archive).digest("base64")}`;
  if (integrity !== runtime.integrity) {
    throw new RuntimeError(
      `${name} ${pinned.version} from the package registry is not the pinned package, and is not used: it has ${integrity}, scripts/build/runtimes.json has ${runtime.integrity}. Check the registry and npm's configuration`,
    );
  }
  return entryOf(gunzipSync(archive), runtime.executable);
}

const blockBytes = 512;

/** Returns a file of a tar archive (ustar). Its contents are trusted. */
function entryOf(tar, wanted) {
  for (let at = 0; at + blockBytes <= tar.length;) {
    const text = (from, length) =>
      tar.toString("latin1", at + from, at + from + length).replace(/\0.*$/s, "");
    const sizeBytes = Number.parseInt(text(124, 12).trim() || "0", 8);
    if (text(0, 100) === wanted) return tar.subarray(at + blockBytes, at + blockBytes + sizeBytes);
    at += blockBytes + Math.ceil(sizeBytes / blockBytes) * blockBytes;
  }
  throw new RuntimeError(`The package has no ${wanted}: correct scripts/build/runtimes.json`);
}
