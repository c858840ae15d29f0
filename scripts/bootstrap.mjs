/**
 * Runs a script of the project on a bare machine:
 *
 *     node scripts/bootstrap.mjs scripts/start.ts [arguments…]
 *
 * Installs Bun in the version of package.json, if it is missing, from the npm registry into
 * `.bun/`, by the digest of build/runtimes.json. Then installs the dependencies of bun.lock, by
 * their digests, and runs the script with its arguments, terminal and exit status. Plain JavaScript
 * for Node.js 20 or newer and for Bun, with Node.js modules only.
 *
 * A Bun on PATH is used if it states the version: it is the user's own program, and trusted as the
 * user's Node.js is. Executables are never made of it unless it has the pinned digest
 * (build/executable.ts).
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { renameSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { fetchRuntime, keptRuntime, packagesOfHost, pinned, RuntimeError } from "./build/runtimes.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const home = join(root, ".bun");
const windows = process.platform === "win32";
const lockWaitMsMax = 10 * 60_000;

class BootstrapError extends Error {}

function wantedVersion() {
  const named = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).packageManager ?? "";
  const match = /^bun@(\d+\.\d+\.\d+[^+]*)/.exec(named);
  if (!match) throw new BootstrapError(`package.json names "${named}" as packageManager: write bun@X.Y.Z`);
  if (match[1] !== pinned.version)
    throw new BootstrapError(
      `package.json names Bun ${match[1]}, scripts/build/runtimes.json has the digests of ${pinned.version}: bring both to one version`,
    );
  return match[1];
}

/** Returns the version of a Bun executable; null when it is missing or does not run here. */
function versionOf(executable) {
  if (!existsSync(executable)) return null;
  const run = spawnSync(executable, ["--version"], { encoding: "utf8", timeout: 30_000, windowsHide: true });
  return run.status === 0 ? run.stdout.trim() : null;
}

function* candidates() {
  if (process.versions.bun) yield process.execPath;
  const name = windows ? "bun.exe" : "bun";
  for (const folder of (process.env.PATH ?? "").split(delimiter)) if (folder) yield join(folder, name);
  for (const runtime of packagesOfHost()) {
    const kept = keptRuntime(runtime, home);
    if (kept !== null) yield kept;
  }
}

function findBun(version, among) {
  for (const executable of among) if (versionOf(executable) === version) return executable;
  return null;
}

/**
 * Returns a pinned runtime that runs on this machine, from `.bun/` or from the registry. Without
 * AVX2 that is another one than the best. Runtimes of equal bytes are tried once.
 */
function installBun(version) {
  const tried = new Set();
  for (const name of packagesOfHost()) {
    const { sha256 } = pinned.packages[name];
    if (tried.has(sha256)) continue;
    tried.add(sha256);
    const executable = fetchRuntime(name, home, (text) => console.error(text));
    if (versionOf(executable) === version) return executable;
  }
  throw new BootstrapError(
    `No runtime of Bun ${version} runs on this machine (${process.platform} ${process.arch})`,
  );
}

const stampFile = join(root, "node_modules", ".flockcast-installed");
const lockDigest = () =>
  createHash("sha256")
    .update(readFileSync(join(root, "bun.lock")))
    .digest("hex");
const dependenciesFresh = () => existsSync(stampFile) && readFileSync(stampFile, "utf8") === lockDigest();

function installDependencies(bun) {
  const run = spawnSync(bun, ["install", "--frozen-lockfile", "--ignore-scripts", "--silent"], {
    cwd: root,
    stdio: ["ignore", process.stderr.fd, "inherit"],
  });
  if (run.status !== 0) {
    throw new BootstrapError(
      `Cannot install the dependencies of bun.lock: bun install ended with status ${run.status ?? run.signal}. Is the package registry reachable (network, proxy)?`,
    );
  }
  writeFileSync(stampFile, lockDigest());
}

const sleep = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/**
 * Runs `work` under a lock file, so that one process installs at a time. Takes over a stale lock.
 */
function locked(work) {
  mkdirSync(home, { recursive: true });
  const lock = join(home, "lock");
  const giveUpAtMs = Date.now() + lockWaitMsMax;
  let hasWarned = false;
  for (;;) {
    try {
      const handle = openSync(lock, "wx");
      writeSync(handle, String(process.pid));
      closeSync(handle);
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    const owner = lockOwner(lock);
    if (owner !== null && !isRunning(owner)) {
      removeStaleLock(lock, owner);
    } else if (Date.now() > giveUpAtMs) {
      throw new BootstrapError(
        `${lock} has been locked by process ${owner ?? "?"} for ${lockWaitMsMax / 60_000} minutes: remove the file if no install is running`,
      );
    } else {
      if (!hasWarned) console.error(`Waiting for process ${owner ?? "?"}, which installs dependencies …`);
      hasWarned = true;
      sleep(200);
    }
  }
  try {
    return work();
  } finally {
    rmSync(lock, { force: true });
  }
}

/** Returns the owner's process id; null when the file was removed, or the id is not written yet. */
function lockOwner(lock) {
  try {
    return Number(readFileSync(lock, "utf8")) || null;
  } catch {
    return null;
  }
}

/**
 * Removes the lock of an exited owner. The file is renamed first: of two processes that see the
 * same owner only one succeeds. If the file turns out to be that of a new owner, it is put back.
 */
function removeStaleLock(lock, owner) {
  const aside = `${lock}.${process.pid}`;
  try {
    renameSync(lock, aside);
  } catch {
    return;
  }
  if (lockOwner(aside) !== owner && !existsSync(lock)) renameSync(aside, lock);
  else rmSync(aside, { force: true });
}

function prepare() {
  const version = wantedVersion();
  const bun = findBun(version, candidates());
  if (bun && dependenciesFresh()) return bun;
  return locked(() => {
    const ready = bun ?? findBun(version, candidates()) ?? installBun(version);
    if (!dependenciesFresh()) installDependencies(ready);
    return ready;
  });
}

function runScript(bun, args) {
  const path = `${dirname(bun)}${delimiter}${process.env.PATH ?? ""}`;
  let child = null;
  // Installed before the child starts: an earlier signal would end this process and leave the
  // child.
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) process.on(signal, () => child?.kill(signal));
  child = spawn(bun, args, {
    cwd: process.cwd(),
    stdio: "inherit",
    env: { ...process.env, PATH: path },
  });
  child.on("error", (error) => {
    console.error(`Cannot run ${bun}: ${error.message}`);
    process.exitCode = 1;
  });
  child.on("exit", (status, signal) => {
    if (signal === null) {
      process.exitCode = status ?? 1;
      return;
    }
    for (const name of signals) process.removeAllListeners(name);
    // The waiting shell must see the same signal as this process did.
    if (windows) process.exitCode = 1;
    else process.exitCode = 128 + (constants.signals[signal] ?? 0);
    process.kill(process.pid, signal);
  });
}

const [script, ...args] = process.argv.slice(2);
try {
  if (!script)
    throw new BootstrapError("Name a script: node scripts/bootstrap.mjs scripts/start.ts [arguments]");
  runScript(prepare(), [join(root, script), ...args]);
} catch (error) {
  if (!(error instanceof BootstrapError || error instanceof RuntimeError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
