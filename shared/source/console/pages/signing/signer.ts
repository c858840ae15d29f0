/**
 * Key of this browser with the trust file that it believes: the chain from the roots that its
 * recovery file names. The source gives the files, and nothing else about them counts.
 */
import type { TrustView } from "../../../../api/schema/trust.ts";
import { beginChain } from "../../../../model/trust/trust-chain.ts";
import type { TrustFile } from "../../../../model/trust/trust-content.ts";
import { TrustError } from "../../../../model/trust/trust-error.ts";
import { ask, ConsoleError } from "../request.ts";
import { storedKey, storeKey, StorageError, type BrowserKey } from "./key-store.ts";
import { chainChecksFor } from "./statements.ts";
import { signingMessages } from "./words.ts";

export type Signer = {
  readonly key: BrowserKey;
  readonly trust: TrustFile;
  /** Newest sequence of an order, as the source states it. */
  readonly lastSequence: number;
};

/** Whether an operator entry of a key counts now. */
export const isOperator = ({ operators }: TrustFile, key: string, nowMs: number): boolean =>
  operators.some((one) => one.key === key && (one.expiresAtMs === null || one.expiresAtMs > nowMs));

export const isPublisher = ({ publishers }: TrustFile, key: string): boolean =>
  publishers.some((one) => one.key === key);

/**
 * Returns the trust file that follows from the roots which a key knows.
 * @throws ConsoleError when the files do not follow, or are older than ones that were seen
 */
export async function believedTrust(
  { files }: TrustView,
  { deployment, root, trustVersion }: Pick<BrowserKey, "deployment" | "root" | "trustVersion">,
): Promise<TrustFile> {
  const words = signingMessages.value.problems;
  try {
    const { current } = beginChain(files, { deployment, root }, await chainChecksFor(files));
    if (current.version < trustVersion)
      throw new ConsoleError(words.older(String(current.version), String(trustVersion)), words.olderHint);
    return current;
  } catch (error) {
    if (!(error instanceof TrustError)) throw error;
    throw new ConsoleError(words.notBelieved(error.message), words.notBelievedHint);
  }
}

/**
 * Returns the key of this browser; null: it has none, or cannot store any.
 * @throws ConsoleError as `believedTrust`; RequestError
 */
export async function openSigner(): Promise<Signer | null> {
  const key = await storedKey().catch((error: unknown) => {
    if (error instanceof StorageError) return null;
    throw error;
  });
  if (key === null) return null;
  const view = await ask<TrustView>("GET", "/v1/trust");
  const trust = await believedTrust(view, key);
  const seen = { ...key, trustVersion: trust.version };
  if (seen.trustVersion > key.trustVersion) await storeKey(seen);
  return { key: seen, trust, lastSequence: view.lastSequence };
}
