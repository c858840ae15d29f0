/** Tests that need root, because they act as another user of the machine too. */
import { test } from "bun:test";

/** User and group id "nobody" of Debian. */
export const strangerId = 65_534;

const isRoot = process.getuid?.() === 0;
const skipped = isRoot ? "" : " (skipped: needs root, to act as another user)";

/** Registers a test that is skipped without root. On a build machine it always runs. */
export const rootTest = (name: string, run: () => Promise<void> | void, timeoutMs = 20_000): void =>
  void (isRoot || process.env["CI"] === "true" ? test : test.skip)(`${name}${skipped}`, run, timeoutMs);

/** Words that run a command as another user, who is in no group. */
export const asStranger = [
  "setpriv",
  `--reuid=${strangerId}`,
  `--regid=${strangerId}`,
  "--clear-groups",
] as const;
