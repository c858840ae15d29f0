/**
 * Tests in network namespaces, which need Linux, root and programs of the system. Without these a
 * test is skipped with the reason in its name. In continuous integration (`CI=true`) it has to run.
 */
import { test } from "bun:test";
import { installPrograms } from "../scripts/rig/debian.ts";

/** Returns the reason why the tests cannot run here; null when they can. */
function missingRequirement(tools: readonly string[]): string | null {
  if (process.platform !== "linux") return `no network namespaces on ${process.platform}`;
  if (process.getuid?.() !== 0) return "not root";
  const missing = tools.filter((tool) => !Bun.which(tool));
  return missing.length > 0 ? `${missing.join(", ")} not installed` : null;
}

/** @param reason why the tests cannot run here; null when they can */
export function testUnless(reason: string | null): NetworkTest {
  const testOrSkip = test.skipIf(reason !== null && process.env["CI"] !== "true");
  return (name, run, timeoutMs) =>
    testOrSkip(reason === null ? name : `${name} (skipped: ${reason})`, run, timeoutMs);
}

type NetworkTest = (name: string, run: () => Promise<void>, timeoutMs: number) => void;

/** Returns the function that defines such a test. @param tools programs that the test starts */
export function networkTest(...tools: readonly string[]): NetworkTest {
  return testUnless(missingRequirement(tools));
}

/**
 * Returns the function that defines tests of foreign executables. Installs what they need, if this
 * process is root on Debian.
 * @param programs name or path → Debian package
 * @param tools further programs that the test starts in network namespaces
 */
export async function emulatorTest(
  programs: Readonly<Record<string, string>>,
  ...tools: readonly string[]
): Promise<NetworkTest> {
  if (process.platform !== "linux" || process.arch !== "x64")
    return testUnless(`no emulator on ${process.platform} ${process.arch}`);
  return testUnless(
    (tools.length > 0 ? missingRequirement(tools) : null) ?? (await installPrograms(programs)),
  );
}

/**
 * Returns the function that defines tests that start programs of the system. Installs the missing
 * ones, if this process is root on Debian.
 * @param programs name or path → Debian package
 */
export const programTest = async (programs: Readonly<Record<string, string>>): Promise<NetworkTest> =>
  testUnless(await installPrograms(programs));
