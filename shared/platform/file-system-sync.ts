/**
 * Makes a whole file system durable with one call, syncfs(2) of Linux. The program `sync` makes the
 * call, because it may take seconds and no function of the runtime offers it to another thread.
 */
import { release } from "node:os";

/** Earlier kernels do not report failed writes (syncfs(2), "ERRORS"). */
const kernelMin = [5, 8] as const;

/** Whether `sync -f` worked before: its failure is then that of the disk. */
let state: "unknown" | "works" | "missing" = "unknown";

/**
 * Makes all earlier writes to the file system of `path` durable. Returns false if the system cannot
 * do that.
 * @throws Error when the disk reports a failure
 */
export async function syncFileSystem(path: string): Promise<boolean> {
  if (state === "missing" || !reportsFailures(release())) return false;
  const status = await statusOf(["sync", "-f", path]);
  if (status === 0) state = "works";
  else if (state === "works") throw new Error(`sync -f "${path}" ended with status ${status}`);
  else state = "missing";
  return status === 0;
}

/** @param version such as "5.15.0-91-generic" */
function reportsFailures(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  return major > kernelMin[0] || (major === kernelMin[0] && minor >= kernelMin[1]);
}

/** Returns the exit status; null if the program cannot be started. */
async function statusOf(command: string[]): Promise<number | null> {
  try {
    return await Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "ignore" }).exited;
  } catch {
    return null;
  }
}
