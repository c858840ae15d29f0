/** Maps bytes of a package's stream to a URL and a byte range of its resource. Pure. */
import { chunkLength, chunkOffset, fileSpans, type Manifest } from "../../model/manifest.ts";
import type { UrlLayout } from "../../model/package-url.ts";
import type { SiteFetch } from "./site-fetch.ts";

export type ContentLocation = {
  readonly url: string;
  /** First byte of the range in the resource. */
  readonly start: number;
  /** First byte after the range. */
  readonly end: number;
  /** Size that the whole resource must have. */
  readonly sizeBytes: number;
};

/** A web site that has the bytes of a package, or the source as one. */
export type ContentSite = {
  readonly url: string;
  /** "file": the resource at `url` is the package's stream. */
  readonly layout: UrlLayout;
  /** Sent to the origin of `url` only, and not after a redirect to another one. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Sends the requests to that origin; undefined: Bun's fetch does. */
  readonly fetch?: SiteFetch | undefined;
};

/**
 * Returns the resource that holds the stream's byte at `offset`, with its range up to `end` or to
 * the end of the resource.
 * @returns null if no file holds that byte
 */
export function locateContent(
  manifest: Manifest,
  site: Pick<ContentSite, "url" | "layout">,
  offset: number,
  end: number,
): ContentLocation | null {
  const { sizeBytes } = manifest;
  if (site.layout === "file") return offset < end ? { url: site.url, start: offset, end, sizeBytes } : null;
  const [span] = fileSpans(manifest, offset, end > offset ? 1 : 0);
  const file = span && manifest.files[span.file];
  if (!span || !file) return null;
  return {
    url: fileUrl(site.url, file.path),
    start: span.fileOffset,
    end: Math.min(file.sizeBytes, span.fileOffset + end - offset),
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
export function urlsOfChunk(
  manifest: Manifest,
  site: Pick<ContentSite, "url" | "layout">,
  chunk: number,
): string[] {
  const urls: string[] = [];
  const end = chunkOffset(manifest, chunk) + chunkLength(manifest, chunk);
  for (let at = chunkOffset(manifest, chunk); at < end;) {
    const location = locateContent(manifest, site, at, end);
    if (!location) break;
    urls.push(location.url);
    at += location.end - location.start;
  }
  return urls;
}
