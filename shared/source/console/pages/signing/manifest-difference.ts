/** Comparison of a manifest that a source encoded with what a browser asked for. Pure. */
import type { SignRequest } from "../../../../api/schema/publishing.ts";
import { base64Of } from "../../../../model/byte-text.ts";
import type { Manifest } from "../../../../model/manifest.ts";

/** A file of a browser is never executable. */
const mode = 0o644;

/**
 * Returns the field of a manifest that is not as the request has it; null: none is.
 * @param manifest as the source encoded it
 */
export function differenceOf(manifest: Manifest, request: SignRequest): string | null {
  const { files, folders = [], zeros = [], commands = "" } = request;
  const asked = {
    name: request.name,
    version: request.version,
    chunkSizeBytes: request.chunkSizeBytes,
    chunkDigests: request.chunkDigests,
    files: files.map(({ path, sizeBytes }) => [path, sizeBytes, mode]),
    folders,
    links: [],
    encodings: zeros.map(({ first, count }) => ["zeros", first, count]),
  };
  const stated: typeof asked = {
    ...manifest,
    chunkDigests: base64Of(manifest.chunkDigests),
    files: manifest.files.map((file) => [file.path, file.sizeBytes, file.mode]),
    folders: [...manifest.folders],
    links: manifest.links as never[],
    encodings: manifest.encodings.map(({ encoding, first, count }) => [encoding, first, count]),
  };
  for (const field of Object.keys(asked) as (keyof typeof asked)[])
    if (JSON.stringify(asked[field]) !== JSON.stringify(stated[field])) return field;
  const lines = manifest.commands.flatMap(({ lines: all }) => all.map(({ line }) => line));
  return lines.every((line) => isWritten(line, commands)) ? null : "commands";
}

/** Whether a command file has a line: as it is, or with the escapes of a quoted text. */
const isWritten = (line: string, commands: string): boolean =>
  [line, JSON.stringify(line).slice(1, -1)].some((text) => commands.includes(text));
