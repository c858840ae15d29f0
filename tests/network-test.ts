/**
 * Tests in network namespaces need Linux, root and programs of the system. Without them they are skipped and say why, except
 * in continuous integration (`CI=true`), where they have to run.
 */
import { test } from "bun:test";

function whyNot(tools: readonly string[]): string | null {
  if (process.platform !== "linux") return `no network namespaces on ${process.platform}`;
  if (process.getuid?.() !== 0) return "not root";
  const missing = tools.filter((tool) => !Bun.which(tool));
  return missing.length > 0 ? `${missing.join(", ")} not installed` : null;
}

export type NetworkTest = (name: string, run: () => Promise<void>, timeoutMs: number) => void;

/** @param tools programs that the test starts */
export function networkTest(...tools: readonly string[]): NetworkTest {
  const reason = whyNot(tools);
  const testOrSkip = test.skipIf(reason !== null && process.env["CI"] !== "true");
  return (name, run, timeoutMs) =>
    testOrSkip(reason === null ? name : `${name} (skipped: ${reason})`, run, timeoutMs);
}
