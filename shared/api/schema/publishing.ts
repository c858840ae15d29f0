/**
 * Schemas of the HTTP bodies by which a browser publishes: a manifest that the source signs, and an
 * upload in parts. common.ts defines units and encodings.
 */
import * as v from "valibot";
import { manifestBytesMax } from "../../model/manifest.ts";
import { entriesMax } from "../../model/manifest-rules.ts";
import { base64, bytesCount, counter, name, text } from "./common.ts";

/** Upper bounds; the rules of the manifest are stricter, and have words for people. */
const pathLengthMax = 1_024;
export const commandFileLengthMax = 65_536;

export const signRequestSchema = v.object({
  name: name(128),
  version: name(64),
  /** In the order of the manifest. Files that a browser reads have no executable bit. */
  files: v.pipe(
    v.array(v.object({ path: name(pathLengthMax), sizeBytes: bytesCount })),
    v.maxLength(entriesMax),
  ),
  /** Folders without entries. */
  folders: v.optional(v.pipe(v.array(name(pathLengthMax)), v.maxLength(entriesMax)), []),
  /** Text of the file of named commands (TOML); empty: none. */
  commands: v.optional(text(commandFileLengthMax), ""),
  chunkSizeBytes: bytesCount,
  /** SHA-256 digests of all chunks, concatenated. */
  chunkDigests: base64(manifestBytesMax),
  /** Runs of chunks that contain zeros only. */
  zeros: v.optional(
    v.pipe(v.array(v.object({ first: counter, count: counter })), v.maxLength(entriesMax)),
    [],
  ),
});
export const uploadPartQuerySchema = v.object({
  /** First byte of the part in the virtual stream. */
  offset: v.pipe(v.string(), v.regex(/^\d{1,15}$/, "an offset is a number of bytes")),
});
export const uploadStateSchema = v.object({
  sizeBytes: bytesCount,
  /** Bytes that are verified and kept, also after a restart of the source. */
  receivedBytes: bytesCount,
  isComplete: v.boolean(),
});

export type SignRequest = v.InferInput<typeof signRequestSchema>;
export type UploadState = v.InferOutput<typeof uploadStateSchema>;
