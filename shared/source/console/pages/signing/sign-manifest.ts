/**
 * Signs the manifest of a package with the key of this browser, if the trust file lists it as a
 * publisher's. The source encodes the manifest: its fields are compared with what was digested.
 */
import type { ManifestToSign, SignRequest } from "../../../../api/schema/publishing.ts";
import { base64Bytes, base64Of } from "../../../../model/byte-text.ts";
import type { Manifest } from "../../../../model/manifest.ts";
import { ManifestError } from "../../../../model/manifest-error.ts";
import { readManifest } from "../../../../model/manifest-reader.ts";
import { publishersFor } from "../../../../model/trust/trust-content.ts";
import { ask, ConsoleError } from "../request.ts";
import { differenceOf } from "./manifest-difference.ts";
import { isPublisher, openSigner, type Signer } from "./signer.ts";
import { signManifestWith } from "./statements.ts";
import { signingMessages } from "./words.ts";

/** Returns the signer if the trust file lists the key of this browser as a publisher's. */
export async function publisherSigner(): Promise<Signer | null> {
  const signer = await openSigner();
  return signer !== null && isPublisher(signer.trust, signer.key.key) ? signer : null;
}

/**
 * Returns the request with the signature of this browser's key.
 * @throws ConsoleError for a name outside the key's scope, and for another manifest than asked for
 */
export async function withSignature(signer: Signer, request: SignRequest): Promise<SignRequest> {
  const words = signingMessages.value;
  const { key, trust } = signer;
  if (!publishersFor(trust, request.name).includes(key.key))
    throw new ConsoleError(words.publishing.notInScope(request.name), words.publishing.notInScopeHint);
  const answer = await ask<ManifestToSign>("POST", "/v1/packages/manifest", request);
  const bytes = base64Bytes(answer.manifest);
  const difference = differenceOf(read(bytes), request);
  if (difference !== null)
    throw new ConsoleError(words.refusals.differs([difference]), words.publishing.differsHint);
  const signature = await signManifestWith(bytes, key);
  return { ...request, signature: { publisherKey: key.key, signature: base64Of(signature) } };
}

function read(bytes: Uint8Array): Manifest {
  try {
    return readManifest(bytes);
  } catch (error) {
    if (!(error instanceof ManifestError)) throw error;
    throw new ConsoleError(signingMessages.value.refused(error.message));
  }
}
