/** Parts of the commands that make release files: the key, the signature, errors for a person. */
import { join } from "node:path";
import { Option } from "@commander-js/extra-typings";
import { readReleaseKey, signatureFile, signSums, sumsFile } from "./sums.ts";

export const keyOption = new Option("--key <file>", "private Ed25519 key (PEM) that signs SHA256SUMS").env(
  "FLOCKCAST_RELEASE_KEY",
);

/**
 * Signs the sums of a folder once `make` has written them, and prints their files. A wrong key is
 * found before that work.
 * @throws Error of the key's file, and of `make`
 */
export async function makeSigned(
  folder: string,
  keyFile: string | undefined,
  make: () => Promise<void>,
): Promise<void> {
  const key = keyFile === undefined ? null : await readReleaseKey(keyFile);
  await make();
  console.log(join(folder, sumsFile));
  if (key === null) return console.log("not signed: give --key FILE or FLOCKCAST_RELEASE_KEY");
  await signSums(folder, key);
  console.log(join(folder, signatureFile));
}

/** Prints an error as one line for a person. */
export async function runForPerson(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}
