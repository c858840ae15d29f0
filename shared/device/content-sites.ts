/**
 * Web sites from which a device may download a package, as the source named them when it gave the
 * right to download. The source's own copy comes last.
 */
import type { LeaseResponse } from "../api/schema/agent.ts";
import type { ContentSite } from "../net/web/locate.ts";
import type { Source } from "./ports.ts";

export type DownloadGrant = Pick<Extract<LeaseResponse, { result: "granted" }>, "urls" | "atSource">;

/** Used until the source answers: a device without an answer knows no other web site. */
export const grantUnanswered: DownloadGrant = { urls: [], atSource: true };

/** Returns at least one site: without a copy anywhere, the source answers why. */
export function contentSites(
  { urls, atSource }: DownloadGrant,
  source: Pick<Source, "contentUrl" | "authorization" | "ca">,
  packageId: string,
): ContentSite[] {
  if (!atSource && urls.length > 0) return [...urls];
  const own: ContentSite = {
    url: source.contentUrl(packageId),
    layout: "file",
    headers: { authorization: source.authorization },
    ca: source.ca,
  };
  return [...urls, own];
}
