/**
 * Retries file operations that fail because another program has the file open. On Windows, scanners
 * and indexers open every new file for a moment, and nobody can move or remove it meanwhile.
 */
import { backoffMs, type Backoff } from "../model/backoff.ts";
import { platform } from "./index.ts";

/** A folder is not empty while a removed file of it is open. */
const lockedCodes = new Set(["EPERM", "EACCES", "EBUSY", "ENOTEMPTY"]);
const retryBackoff: Backoff = { baseMs: 10, maxMs: 500, jitter: [0.75, 1.25] };
/** Upper bound on the retries of one operation. An error of permissions is reported after it. */
const retryMsMax = 5_000;

const isLocked = (error: unknown): boolean =>
  error instanceof Error && "code" in error && lockedCodes.has(String(error.code));

/**
 * Runs the action, again while another program has a file of it open.
 * @param locksOpenFiles whether the system has such locks; without them nothing is retried
 */
export async function retryLocked<T>(
  action: () => Promise<T>,
  locksOpenFiles = platform.locksOpenFiles,
): Promise<T> {
  const giveUpAtMs = performance.now() + retryMsMax;
  for (let failures = 0; ; failures++) {
    try {
      return await action();
    } catch (error) {
      if (!locksOpenFiles || !isLocked(error) || performance.now() >= giveUpAtMs) throw error;
      await Bun.sleep(backoffMs(retryBackoff, failures, Math.random));
    }
  }
}
