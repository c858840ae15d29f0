/**
 * Runs a script of the project on a bare machine:
 *
 *     node scripts/bootstrap.mjs scripts/start.ts [arguments…]
 *
 * Installs Bun in the version of package.json, if it is missing, from the npm registry into
 * `.bun/`. Then installs the dependencies of bun.lock, and runs the script with its arguments,
 * terminal and exit status. Plain JavaScript for Node.js 20 or newer and for Bun, with Node.js
 * modules only.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync } from "node:fs";
import { renameSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const home = join(root, ".bun");
const windows = process.platform === "win32";
const lockWaitMsMax = 10 * 60_000;

class BootstrapError extends Error {}

function wantedVersion() {
  const named = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).packageManager ?? "";
  const match = /^bun@(\d+\.\d+\.\d+[^+]*)/.exec(named);
  if (!match) throw new BootstrapError(`package.json names "${named}" as packageManager: write bun@X.Y.Z`);
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
  yield* localCandidates();
}

/**
 * Yields binaries below `.bun/`. npm 11 may not run the package's install script, so the binary may
 * still be in the platform package. Several of these fit one machine (glibc and musl, with and
 * without AVX2). The caller takes the first that runs.
 */
function* localCandidates() {
  const scope = join(home, "node_modules", "@oven");
  const names = existsSync(scope) ? readdirSync(scope) : [];
  names.sort((a, b) => Number(a.includes("baseline")) - Number(b.includes("baseline")) || a.localeCompare(b));
  for (const name of names) yield join(scope, name, "bin", windows ? "bun.exe" : "bun");
  yield join(home, "node_modules", "bun", "bin", "bun.exe");
}

function findBun(version, among) {
  for (const executable of among) if (versionOf(executable) === version) return executable;
  return null;
}

/**
 * Runs npm: its entry point if npm started this process, otherwise npm on PATH. On Windows npm on
 * PATH is a .cmd, which needs a shell.
 */
function npm(args) {
  const entry = process.env.npm_execpath ?? "";
  const [command, before] = /npm-cli\.[cm]?js$/.test(entry) ? [process.execPath, [entry]] : ["npm", []];
  const shell = windows && command === "npm";
  const quoted = shell ? args.map((word) => `"${word}"`) : args;
  return spawnSync(command, [...before, ...quoted], {
    cwd: home,
    stdio: ["ignore", process.stderr.fd, "inherit"],
    shell,
  });
}

function installBun(version) {
  console.error(`Installing Bun ${version} into .bun/ …`);
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, "package.json"), '{ "private": true }\n');
  const flags = ["--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--include=optional"];
  const run = npm([
    "install",
    "--prefix",
    home,
    ...flags,
    "--ignore-scripts",
    "--loglevel=error",
    `bun@${version}`,
  ]);
  if (run.error?.code === "ENOENT") {
    throw new BootstrapError(
      `Cannot install Bun ${version}: npm was not found. Install Node.js 20 or newer with npm, or Bun ${version} itself (https://bun.sh)`,
    );
  }
  if (run.status !== 0) {
    throw new BootstrapError(
      `Cannot install Bun ${version}: npm ended with status ${run.status ?? run.signal}. Is the package registry reachable (network, proxy)? The message of npm is above`,
    );
  }
  const found = findBun(version, localCandidates());
  if (found) return found;
  // None of the platform packages runs here: the install script can download another binary.
  spawnSync(process.execPath, [join(home, "node_modules", "bun", "install.js")], {
    cwd: join(home, "node_modules", "bun"),
    stdio: ["ignore", process.stderr.fd, "inherit"],
  });
  const built = findBun(version, localCandidates());
  if (built) return built;
  throw new BootstrapError(
    `Bun ${version} was installed but does not run on this machine (${process.platform} ${process.arch})`,
  );
}

const stampFile = join(root, "node_modules", ".flockcast-installed");
const lockDigest = () =>
  createHash("sha256")
    .update(readFileSync(join(root, "bun.lock")))
    .digest("hex");
const dependenciesFresh = () => existsSync(stampFile) && readFileSync(stampFile, "utf8") === lockDigest();

function installDependencies(bun) {
  const run = spawnSync(bun, ["install", "--frozen-lockfile", "--silent"], {
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
    const ready = findBun(version, candidates()) ?? installBun(version);
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
  if (!(error instanceof BootstrapError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
