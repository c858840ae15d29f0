/**
 * Web sites of a package: URLs from which devices download its bytes. They are not part of
 * the signed manifest, so that a published version can get another URL.
 */

/** "file": the URL has the package's one file. "folder": files are at their paths below the URL. */
export const urlLayouts = ["file", "folder"] as const;
export type UrlLayout = (typeof urlLayouts)[number];
export type PackageUrl = { readonly url: string; readonly layout: UrlLayout };

export const packageUrlLengthMax = 2_048;
/** Upper bound on the URLs of one package. */
export const packageUrlsMax = 16;

/**
 * Returns why devices cannot download from `url`, or null. The sentence quotes the URL only when it
 * contains no secret.
 */
export function packageUrlProblem(url: string): string | null {
  if (url.length > packageUrlLengthMax) return `it is longer than ${packageUrlLengthMax} characters`;
  const parsed = URL.parse(url);
  if (!parsed) return `"${url}" is not a URL: write for example https://web.example/setup.exe`;
  if (parsed.protocol !== "http:" && parsed.protocol !== "https:") {
    return `"${parsed.protocol}" is neither http: nor https:`;
  }
  if (parsed.username || parsed.password) return "it contains credentials; every device would read them";
  if (parsed.hash) return `"${parsed.hash}" is never sent to a web site: leave it out`;
  return null;
}

/** Removes credentials and query of a URL for a person; the query may be a signature. */
export function redactUrl(url: string): string {
  const parsed = URL.parse(url);
  if (!parsed) return "the web site";
  return `${parsed.origin}${parsed.pathname}${parsed.search ? "?…" : ""}`;
}

/** Returns the layout of a URL that a person gave without one. */
export const layoutOf = (url: string, fileCount: number): UrlLayout =>
  fileCount === 1 && !URL.parse(url)?.pathname.endsWith("/") ? "file" : "folder";
