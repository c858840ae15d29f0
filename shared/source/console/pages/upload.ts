/**
 * Publishing from a browser: digests the chunks of the files, lets the source sign the manifest,
 * and uploads what the source lacks. The same files continue an upload that ended early. The
 * browser digests on a thread of its own, so that the page stays usable.
 */
import type { PublishedPackage, PublishResponse } from "../../../api/schema/admin.ts";
import type { SignRequest, UploadState } from "../../../api/schema/publishing.ts";
import { chunkSizeBefore } from "../../../model/chunk-size-before.ts";
import {
  chunkAt,
  chunkCount,
  chunkLength,
  chunkOffset,
  chunkSizeFor,
  digestBytes,
  zeroRuns,
  type ChunkedFiles,
} from "../../../model/manifest.ts";
import type { Picked } from "./picked-files.ts";
import { ask, RequestError, sendBytes } from "./request.ts";

/** Name of the file of named commands in the root of a package. */
export const commandFileName = "flockcast.toml";

/** Bytes of one request: a lost connection costs at most these. A chunk has at most 4 MiB. */
const partBytes = 8 * 1_048_576;
const retryDelaysMs = [500, 1_000, 2_000, 5_000];
/** Refusals in a row after which an upload ends; a lost connection is tried until its cancel. */
const refusalsMax = 5;

export type UploadProgress = {
  readonly stage: "digesting" | "signing" | "uploading" | "waiting";
  readonly doneBytes: number;
  readonly totalBytes: number;
};

export type Upload = {
  readonly picked: Picked;
  readonly name: string;
  readonly version: string;
  /** Text of named commands; empty: those of the file in the root of the folder. */
  readonly commands: string;
  /** Packages that are published already. */
  readonly packages: readonly PublishedPackage[];
  /** Adds the signature of this browser; null: the source signs. */
  readonly sign: ((request: SignRequest) => Promise<SignRequest>) | null;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: UploadProgress) => void;
};

/**
 * Returns the id of the package once the source has all bytes.
 * @throws RequestError for a refusal; the reason of the signal; DOMException for unreadable files
 */
export async function publishPicked(upload: Upload): Promise<string> {
  const { picked, name, version, commands, packages, sign, signal, onProgress } = upload;
  const files = picked.files.map(({ path, file }) => ({ path, sizeBytes: file.size }));
  const totalBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const before = chunkSizeBefore(packages, { name, version });
  const chunked: ChunkedFiles = { files, chunkSizeBytes: chunkSizeFor(totalBytes, before) };
  const stream = new Blob(picked.files.map(({ file }) => file));
  const digests = await digestChunks(chunked, stream, upload, totalBytes);
  onProgress({ stage: "signing", doneBytes: totalBytes, totalBytes });
  const request: SignRequest = {
    name,
    version,
    files,
    folders: [...picked.folders],
    commands: commands.trim() === "" ? await commandsIn(picked) : commands,
    chunkSizeBytes: chunked.chunkSizeBytes,
    ...digests,
  };
  const given = sign === null ? request : await sign(request);
  const { packageId, contentNeeded } = await ask<PublishResponse>("POST", "/v1/packages/sign", given);
  signal.throwIfAborted();
  if (contentNeeded) await sendParts(packageId, chunked, stream, upload);
  return packageId;
}

const commandsIn = async ({ files }: Picked): Promise<string> =>
  (await files.find(({ path }) => path === commandFileName)?.file.text()) ?? "";

async function digestChunks(
  chunked: ChunkedFiles,
  stream: Blob,
  { signal, onProgress }: Upload,
  totalBytes: number,
): Promise<Pick<SignRequest, "chunkDigests" | "zeros">> {
  const count = chunkCount(chunked);
  const digests = new Uint8Array(count * digestBytes);
  const isZeros: boolean[] = [];
  for (let chunk = 0; chunk < count; chunk++) {
    signal.throwIfAborted();
    const start = chunkOffset(chunked, chunk);
    const end = start + chunkLength(chunked, chunk);
    const bytes = new Uint8Array(await stream.slice(start, end).arrayBuffer());
    digests.set(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)), chunk * digestBytes);
    isZeros.push(bytes[0] === 0 && bytes.at(-1) === 0 && bytes.every((byte) => byte === 0));
    onProgress({ stage: "digesting", doneBytes: end, totalBytes });
  }
  const zeros = zeroRuns(isZeros).map(({ first, count: length }) => ({ first, count: length }));
  return { chunkDigests: base64Of(digests), zeros };
}

/** `String.fromCharCode` takes a limited number of arguments. */
function base64Of(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8_192)
    text += String.fromCharCode(...bytes.subarray(at, at + 8_192));
  return btoa(text);
}

/** Returns the end of the part that begins at `offset`: that of a chunk. */
function partEnd(chunked: ChunkedFiles, offset: number, totalBytes: number): number {
  if (offset >= totalBytes) return totalBytes;
  let chunk = chunkAt(chunked, offset);
  let end = offset + chunkLength(chunked, chunk);
  while (end < totalBytes && end - offset + chunkLength(chunked, chunk + 1) <= partBytes)
    end += chunkLength(chunked, ++chunk);
  return end;
}

async function sendParts(
  packageId: string,
  chunked: ChunkedFiles,
  stream: Blob,
  { signal, onProgress }: Upload,
): Promise<void> {
  const path = `/v1/packages/${packageId}`;
  const totalBytes = stream.size;
  let failures = 0;
  let refusals = 0;
  let state: UploadState | null = null;
  while (state === null || !state.isComplete) {
    signal.throwIfAborted();
    try {
      state ??= await ask<UploadState>("GET", `${path}/upload`);
      const offset: number = state.receivedBytes;
      onProgress({ stage: "uploading", doneBytes: offset, totalBytes });
      if (state.isComplete) return;
      const part = stream.slice(offset, partEnd(chunked, offset, totalBytes));
      state = await sendBytes<UploadState>("PATCH", `${path}/content?offset=${offset}`, part, signal);
      [failures, refusals] = [0, 0];
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof RequestError) || !mayPass(error)) throw error;
      if (error.status !== 0 && ++refusals >= refusalsMax) throw error;
      onProgress({ stage: "waiting", doneBytes: state?.receivedBytes ?? 0, totalBytes });
      // The part may have arrived in part.
      state = null;
      await pause(retryDelaysMs[Math.min(failures++, retryDelaysMs.length - 1)]!, signal);
    }
  }
}

/** Whether a later try may succeed: no answer, a part that still arrives, a fault of the source. */
const mayPass = ({ status }: RequestError): boolean => status === 0 || status === 409 || status >= 500;

/** @throws the reason of the signal */
async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => {
    setTimeout(resolve, delayMs);
  });
  signal.throwIfAborted();
}
