/**
 * Checks of a new executable before anything is changed: it fits next to the running one, starts,
 * and prints a version.
 */
import { dirname } from "node:path";
import { lastLineOf } from "../../device/command-outcome.ts";
import type { NewExecutable } from "../../device/ports.ts";
import { reason, type Reason } from "../../model/reason.ts";
import { platform } from "../../platform/index.ts";
import { copyNext, discardNext } from "./placement.ts";

/** Time limit of `--version`. A busy device with a slow disk takes seconds. */
const versionMsMax = 60_000;
const versionPattern = /^\d[\w.+-]{0,63}$/;
/** Starts of a file that another process of this agent is just inheriting, as it was written. */
const busyAttempts = 5;
const busyWaitMs = 100;

/** @param from path in the package @param fileName for messages */
export async function prepareExecutable(
  from: string,
  executable: string,
  fileName: string,
  signal: AbortSignal,
): Promise<NewExecutable> {
  let next: string;
  try {
    next = await copyNext(from, executable);
  } catch (error) {
    await discardNext(executable).catch(() => {});
    return refused(reason("not-copied", { fileName, folder: dirname(executable), problem: textOf(error) }));
  }
  const found = await versionOf(next, fileName, signal);
  if (!found.isUsable) await discardNext(executable).catch(() => {});
  return found;
}

const refused = (why: Reason): NewExecutable => ({ isUsable: false, reason: why });
const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function versionOf(path: string, fileName: string, signal: AbortSignal): Promise<NewExecutable> {
  try {
    const child = await start(path, signal);
    const [output, errors] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    const version = output.trim();
    if (child.exitCode === 0 && versionPattern.test(version)) return { isUsable: true, version };
    const status = child.exitCode === null ? `ended by ${child.signalCode}` : `exit code ${child.exitCode}`;
    return refused(
      reason("no-version", { fileName, status, output: lastLineOf(errors) || lastLineOf(output) }),
    );
  } catch (error) {
    return refused(reason("not-started", { fileName, problem: textOf(error) }));
  }
}

async function start(path: string, signal: AbortSignal) {
  for (let attempt = 1; ; attempt++) {
    try {
      return Bun.spawn([path, "--version"], {
        env: platform.systemEnvironment(),
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
        timeout: versionMsMax,
        killSignal: "SIGKILL",
        signal,
      });
    } catch (error) {
      const isBusy = error instanceof Error && "code" in error && error.code === "ETXTBSY";
      if (!isBusy || attempt >= busyAttempts) throw error;
      await Bun.sleep(busyWaitMs);
    }
  }
}
