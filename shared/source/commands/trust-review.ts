/**
 * Facts that a root holder has to know before a version of the trust file is signed: its changes,
 * and that it is newer than all that the key has signed. Otherwise a source that shows an older
 * version could have a revoked key listed again.
 */
import { readFile, writeFile } from "node:fs/promises";
import { keyName, type TrustFile } from "../../model/trust/index.ts";
import { printNote } from "../../standard-output.ts";
import { CommandError } from "./command-error.ts";

const noteOf = (keyFile: string): string => `${keyFile}.version`;

/** @throws CommandError if a key has signed this version, or a newer one */
export async function assertNewer(keyFiles: readonly string[], { version }: TrustFile): Promise<void> {
  for (const keyFile of keyFiles) {
    const text = await readFile(noteOf(keyFile), "utf8").catch(() => "0");
    const signed = Number(text);
    if (!Number.isSafeInteger(signed) || signed < version) continue;
    throw new CommandError(
      `"${keyFile}" has signed version ${signed} of the trust file, and the source shows version ${version - 1}: it was restored, and devices hand the newer one back, or it keeps something from you`,
    );
  }
}

/** Notes next to each key the version that it has signed. */
export async function noteVersion(keyFiles: readonly string[], { version }: TrustFile): Promise<void> {
  for (const keyFile of keyFiles) {
    try {
      await writeFile(noteOf(keyFile), `${version}\n`, { mode: 0o600 });
    } catch (error) {
      // A key on a medium that cannot be written.
      printNote(
        `warning: version ${version} was not noted next to "${keyFile}": ${(error as Error).message}`,
      );
    }
  }
}

export function operatorScope({ actions, target, expiresAtMs }: TrustFile["operators"][number]): string {
  const what = actions.length === 0 ? "all actions" : actions.join(", ");
  const until = expiresAtMs === null ? "" : `, until ${new Date(expiresAtMs).toISOString()}`;
  return `${what} on ${target}${until}`;
}

export const publisherScope = ({ packages }: TrustFile["publishers"][number]): string =>
  packages.length === 0 ? "all packages" : packages.join(", ");

/** Returns a line for each key, and for each threshold. */
function linesOf({ root, publishers, operators, orderThreshold, embedded, deployment }: TrustFile): string[] {
  return [
    ...root.keys.map((key) => `root ${keyName(key)}`),
    ...publishers.map((one) => `publisher ${keyName(one.key)}: ${publisherScope(one)}`),
    ...operators.map((one) => `operator ${keyName(one.key)}: ${operatorScope(one)}`),
    `roots that have to sign: ${root.threshold}`,
    `operators that have to sign: ${orderThreshold}`,
    `deployment ${deployment}`,
    embedded ? "the source holds the keys" : "the source holds no keys",
  ];
}

/** Returns what a version takes away (-) and adds (+). */
export function trustChanges(before: TrustFile, next: TrustFile): string[] {
  const [old, now] = [linesOf(before), linesOf(next)];
  return [
    ...old.filter((line) => !now.includes(line)).map((line) => `- ${line}`),
    ...now.filter((line) => !old.includes(line)).map((line) => `+ ${line}`),
  ];
}
