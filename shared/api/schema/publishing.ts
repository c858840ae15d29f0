/**
 * Schemas of the HTTP bodies by which a browser publishes: a manifest that the source signs, and an
 * upload in parts. common.ts defines units and encodings.
 */
import * as v from "valibot";
import { entriesMax, manifestBytesMax } from "../../model/manifest.ts";
import { packageUrlLengthMax } from "../../model/package-url.ts";
import { trustKeySchema } from "../../model/trust/statement.ts";
import { base64, bytesCount, counter, name, packageIdSchema, text, timeMs } from "./common.ts";

/** Upper bounds; the rules of the manifest are stricter, and have words for people. */
const pathLengthMax = 1_024;
export const commandFileLengthMax = 65_536;

const publicationIdSchema = v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/, "16 hex digits"));

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
  /** Signature of the manifest by a key that the source does not hold. */
  signature: v.optional(v.object({ publisherKey: trustKeySchema, signature: base64(64) })),
});
/** The manifest of a request, which a publisher's key signs. */
export const manifestToSignSchema = v.object({ manifest: base64(manifestBytesMax) });
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

/** A file of a web site that the source reads and publishes; devices download it from there. */
export const publicationRequestSchema = v.object({
  name: name(128),
  version: name(64),
  url: name(packageUrlLengthMax),
  /** Text of the file of named commands (TOML); empty: none. */
  commands: v.optional(text(commandFileLengthMax), ""),
});
export const publicationStates = ["reading", "signing", "done", "failed", "cancelled"] as const;
export const publicationSchema = v.object({
  id: publicationIdSchema,
  name: name(128),
  version: name(64),
  /** Without the query, which may be a signature. */
  url: v.string(),
  startedBy: v.string(),
  startedAtMs: timeMs,
  state: v.picklist(publicationStates),
  /** Bytes read and digested; the source keeps none of them. */
  doneBytes: bytesCount,
  /** Null if the web site did not state the length. */
  totalBytes: v.nullable(bytesCount),
  /** Set once published. */
  packageId: v.nullable(packageIdSchema),
  /** File that the web site sent, once published. */
  file: v.nullable(
    v.object({
      path: v.string(),
      /** Media type; empty if the web site stated none. */
      type: v.string(),
      /** Address after redirects, without its query. */
      lastUrl: v.string(),
      /** False if a connection that breaks off looks like the end of the file. */
      isEndProven: v.boolean(),
    }),
  ),
  /** Set once it has failed. */
  problem: v.nullable(v.object({ error: v.string(), hint: v.nullable(v.string()) })),
  endedAtMs: v.nullable(timeMs),
});
export const publicationListSchema = v.object({ publications: v.array(publicationSchema) });
export const publicationPathSchema = v.object({ id: publicationIdSchema });

export type PublicationRequest = v.InferOutput<typeof publicationRequestSchema>;
export type Publication = v.InferOutput<typeof publicationSchema>;
export type ManifestToSign = v.InferOutput<typeof manifestToSignSchema>;
export type SignRequest = v.InferInput<typeof signRequestSchema>;
export type UploadState = v.InferOutput<typeof uploadStateSchema>;
