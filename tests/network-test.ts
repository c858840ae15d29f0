/**
 * Tests in network namespaces, which need Linux, root and programs of the system. Without these a
 * test is skipped with the reason in its name. In continuous integration (`CI=true`) it has to run.
 */
import { test } from "bun:test";

/** Returns the reason why the tests cannot run here; null when they can. */
function missingRequirement(tools: readonly string[]): string | null {
  if (process.platform !== "linux") return `no network namespaces on ${process.platform}`;
  if (process.getuid?.() !== 0) return "not root";
  const missing = tools.filter((tool) => !Bun.which(tool));
  return missing.length > 0 ? `${missing.join(", ")} not installed` : null;
}

type NetworkTest = (name: string, run: () => Promise<void>, timeoutMs: number) => void;

/** Returns the function that defines such a test. @param tools programs that the test starts */
export function networkTest(...tools: readonly string[]): NetworkTest {
  const reason = missingRequirement(tools);
  const testOrSkip = test.skipIf(reason !== null && process.env["CI"] !== "true");
  return (name, run, timeoutMs) =>
    testOrSkip(reason === null ? name : `${name} (skipped: ${reason})`, run, timeoutMs);
}
