/** Maps bytes of a package's stream to a URL and a byte range of its resource. Pure. */
import { chunkLength, chunkOffset, fileSpans, type Manifest } from "../../model/manifest.ts";

export type ContentLocation = {
  readonly url: string;
  /** First byte of the range in the resource. */
  readonly start: number;
  /** First byte after the range. */
  readonly end: number;
  /** Size that the whole resource must have. */
  readonly sizeBytes: number;
};

/**
 * Returns the resource that holds the stream's byte at `offset`, with its range up to `end` or to
 * the end of the resource.
 * @returns null if the source holds the package and `contentUrl` is null
 */
export function locateContent(
  manifest: Manifest,
  contentUrl: string | null,
  offset: number,
  end: number,
): ContentLocation | null {
  const { origin, sizeBytes } = manifest;
  if (origin.kind === "source")
    return contentUrl === null ? null : { url: contentUrl, start: offset, end, sizeBytes };
  if (origin.layout === "file") return { url: origin.url, start: offset, end, sizeBytes };
  const [span] = fileSpans(manifest, offset, end - offset);
  const file = span && manifest.files[span.file];
  if (!span || !file) return null;
  return {
    url: fileUrl(origin.url, file.path),
    start: span.fileOffset,
    end: span.fileOffset + span.length,
    sizeBytes: file.sizeBytes,
  };
}

/** Appends a path to the URL of a folder, and keeps the query of that URL. */
function fileUrl(base: string, path: string): string {
  const url = new URL(base);
  const folder = url.pathname.replace(/\/+$/, "");
  url.pathname = `${folder}/${path.split("/").map(encodeURIComponent).join("/")}`;
  return url.href;
}

/** Returns the URLs of all resources with bytes of `chunk`, in order. */
export function urlsOfChunk(manifest: Manifest, contentUrl: string | null, chunk: number): string[] {
  const urls: string[] = [];
  const end = chunkOffset(manifest, chunk) + chunkLength(manifest, chunk);
  for (let at = chunkOffset(manifest, chunk); at < end;) {
    const location = locateContent(manifest, contentUrl, at, end);
    if (!location) break;
    urls.push(location.url);
    at += location.end - location.start;
  }
  return urls;
}
