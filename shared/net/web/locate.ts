/** Where on the WAN a piece of a package's stream lies: which URL, and which bytes of what it names. Pure. */
import { chunkLength, chunkOffset, fileSpans, type Manifest } from "../../model/manifest.ts";

export type ContentLocation = {
  readonly url: string;
  /** Bytes of the resource at `url`; `end` is the first one after. */
  readonly start: number;
  readonly end: number;
  /** Size the whole resource must have. */
  readonly sizeBytes: number;
};

/**
 * The first resource that holds bytes of the stream from `offset` on, as far as it reaches towards `end`.
 * @returns null when the package lies on the source and no `contentUrl` is known.
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

/** The folder's URL, a slash and the path; a query of the folder's URL stays at the end. */
export function fileUrl(base: string, path: string): string {
  const url = new URL(base);
  const folder = url.pathname.replace(/\/+$/, "");
  url.pathname = `${folder}/${path.split("/").map(encodeURIComponent).join("/")}`;
  return url.href;
}

/** Every URL that has a part in `chunk`, in order. */
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
