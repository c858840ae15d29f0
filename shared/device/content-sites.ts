/**
 * Web sites from which a device may download a package, as the source named them when it gave the
 * right to download. The source's own copy comes last.
 */
import type { LeaseResponse } from "../api/schema/agent.ts";
import type { ContentSite } from "../net/web/locate.ts";
import type { Source } from "./ports.ts";

type Granted = Extract<LeaseResponse, { result: "granted" }>;
/** Where a package is. */
export type ContentPlaces = Pick<Granted, "urls" | "atSource">;
/** The right to download. */
export type DownloadGrant = ContentPlaces & Pick<Granted, "uselessBytesLeft">;

/** Returns at least one site: without a copy anywhere, the source answers why. */
export function contentSites(
  { urls, atSource }: ContentPlaces,
  source: Pick<Source, "contentUrl" | "authorization" | "fetch">,
  packageId: string,
): ContentSite[] {
  if (!atSource && urls.length > 0) return [...urls];
  const own: ContentSite = {
    url: source.contentUrl(packageId),
    layout: "file",
    headers: { authorization: source.authorization },
    fetch: source.fetch,
  };
  return [...urls, own];
}
