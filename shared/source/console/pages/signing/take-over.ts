/**
 * End of the embedded mode by a browser: its root key signs a trust file that lists its signing key
 * as operator and publisher, and the source gives its own keys up.
 */
import * as v from "valibot";
import type { TrustView } from "../../../../api/schema/trust.ts";
import type { RecoveryContent } from "../../../../model/trust/recovery-file.ts";
import { trustFileSchema, type TrustFile } from "../../../../model/trust/trust-content.ts";
import { ask, ConsoleError } from "../request.ts";
import { storeKey, StorageError } from "./key-store.ts";
import { browserKeyOf, type OpenedKeys } from "./new-keys.ts";
import { signAllOf } from "./sign-orders.ts";
import { openSigner } from "./signer.ts";
import { fingerprintOf, signTextWith } from "./statements.ts";
import { signingMessages } from "./words.ts";

const rootOf = (key: string): TrustFile["root"] => ({ threshold: 1, keys: [key] });

/** Returns the trust file of a source that holds its keys. @throws ConsoleError for another one */
async function embeddedFile(): Promise<TrustFile> {
  const view = await ask<TrustView>("GET", "/v1/trust");
  if (!view.file.embedded || !view.canSign)
    throw new ConsoleError(signingMessages.value.problems.notEmbedded);
  return v.parse(trustFileSchema, view.file);
}

/** Returns the deployment, and the roots as they will be. */
export async function takeOverAnchor(
  keys: RecoveryContent["keys"],
): Promise<Pick<RecoveryContent, "deployment" | "root">> {
  const { deployment } = await embeddedFile();
  const root = keys.find(({ use }) => use === "root")!;
  return { deployment, root: await fingerprintOf(rootOf(root.key)) };
}

/**
 * Stores the signing key in this browser, and hands the deployment over to the new keys.
 * @throws ConsoleError when the browser does not store the key; RequestError
 */
export async function takeOver(opened: OpenedKeys): Promise<void> {
  const { root, signing } = opened.keys;
  if (root === null || signing === null) throw new ConsoleError(signingMessages.value.recovery.noSigning);
  const before = await embeddedFile();
  const next: TrustFile = {
    ...before,
    version: before.version + 1,
    issuedAtMs: Date.now(),
    embedded: false,
    root: rootOf(root.key),
    // Keys of publishers whose packages are there stay.
    publishers: [...before.publishers, { key: signing.key, packages: [] }],
    operators: [{ key: signing.key, actions: [], target: "all", expiresAtMs: null }],
    orderThreshold: 1,
  };
  // The source gives its keys up at once: this one has to be stored before.
  await keep(opened, before.version);
  const signed = await signTextWith("trust", JSON.stringify(next), root);
  await ask("POST", "/v1/trust/files", { files: [signed] });
  const signer = await openSigner();
  if (signer !== null) await signAllOf(signer);
}

/** Stores the signing key of a recovery file. @throws ConsoleError when the browser refuses */
export async function keep(opened: OpenedKeys, trustVersion: number): Promise<void> {
  const words = signingMessages.value;
  const { signing } = opened.keys;
  if (signing === null) throw new ConsoleError(words.recovery.noSigning);
  try {
    await storeKey(browserKeyOf(opened, signing, trustVersion));
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    throw new ConsoleError(words.problems.storage);
  }
}
