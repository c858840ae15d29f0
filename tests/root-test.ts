/** Tests that need root, because they act as another user of the machine too. */
import { join } from "node:path";
import { test } from "bun:test";
import { runToEnd } from "../scripts/rig/process.ts";

/** User and group id "nobody" of Debian. */
export const strangerId = 65_534;

const runs = process.getuid?.() === 0 || process.env["CI"] === "true";

/** Registers a test that is skipped without root. With `CI=true` it has to run. */
export const rootTest = (name: string, run: () => Promise<void> | void, timeoutMs = 20_000): void =>
  void test.skipIf(!runs)(runs ? name : `${name} (skipped: not root)`, run, timeoutMs);

/**
 * Tries something as another user of the machine (stranger.ts).
 * @param folder working folder of that user, which the user must be able to enter
 * @param attempts such as `read:data/lock.db`
 * @returns the outcome of each: "done", or the code of the error
 */
export async function asStranger(
  folder: string,
  ...attempts: readonly string[]
): Promise<Record<string, string>> {
  const words = [process.execPath, join(import.meta.dir, "stranger.ts"), folder, ...attempts];
  const { status, stdout, stderr } = await runToEnd(words);
  if (status !== 0) throw new Error(`the other user could not be played: ${stderr}`);
  return JSON.parse(stdout) as Record<string, string>;
}
