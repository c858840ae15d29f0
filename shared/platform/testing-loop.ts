/**
 * Block devices for tests: files behind loop devices of the kernel, which only root may make.
 * Without that right tests are skipped, and on a CI machine they fail.
 */
import { existsSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Runs a program and returns its output. */
export async function run(...command: string[]): Promise<string> {
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "pipe" });
  const [output, problem] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  if ((await child.exited) === 0) return output.trim();
  throw new Error(`${command.join(" ")}: ${problem.trim()}`);
}

/** Major number of loop devices. */
const loopMajor = 7;

/** Takes the next free loop device; its node may be missing in containers. */
async function attach(file: string): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    const path = await run("losetup", "-f");
    if (!existsSync(path)) await run("mknod", path, "b", String(loopMajor), path.slice("/dev/loop".length));
    try {
      await run("losetup", path, file);
      return path;
    } catch (error) {
      // Another process took it.
      if (attempt === 20) throw error;
    }
  }
}

export type LoopDisk = { readonly path: string; readonly file: string; remove(): Promise<void> };

/** Makes a loop device over a new sparse file in the folder. */
export async function loopDisk(folder: string, sizeBytes: number, name = "disk.bin"): Promise<LoopDisk> {
  const file = join(folder, name);
  writeFileSync(file, "");
  truncateSync(file, sizeBytes);
  const path = await attach(file);
  return { path, file, remove: async () => void (await run("losetup", "-d", path)) };
}

/** Why loop devices cannot be made here; null: they can. */
function loopProblem(): string | null {
  if (process.platform !== "linux") return "loop devices are of Linux";
  if (process.getuid?.() !== 0) return "loop devices need root";
  if (!existsSync("/dev/loop-control")) return "the kernel has no loop devices";
  return null;
}

/**
 * Returns why tests with block devices are skipped, for their names; empty: they run.
 * @throws Error on a CI machine, where they must run
 */
export function loopSkip(): string {
  const problem = loopProblem();
  if (problem !== null && process.env["CI"] === "true")
    throw new Error(`CI has to run these tests: ${problem}`);
  return problem === null ? "" : ` (skipped: ${problem})`;
}
