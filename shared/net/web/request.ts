/**
 * A request to a web site, with redirects followed here and not by fetch: the source's credential
 * is sent to the source only, and no redirect leads into the device's own network.
 *
 * Bun's fetch reads proxies from HTTP_PROXY, HTTPS_PROXY and NO_PROXY. No variable of the
 * environment switches the verification of certificates off.
 */
import { redactUrl } from "../../model/package-url.ts";
import { mayReuseConnections } from "./connection-pool.ts";
import { connectionProblem, WebProblem } from "./problem.ts";
import { redirectProblem } from "./redirect-guard.ts";
import type { SiteFetch } from "./site-fetch.ts";

const redirectsMax = 10;

export type SiteRequest = {
  readonly url: string;
  /** Sent to the origin of `url`, and to no other. */
  readonly originHeaders: Readonly<Record<string, string>>;
  /** Sent with every request. */
  readonly headers: Readonly<Record<string, string>>;
  /** Sends the requests to the origin of `url`; undefined: Bun's fetch does. */
  readonly originFetch: SiteFetch | undefined;
  /** Sends all other requests; default: Bun's fetch does. */
  readonly otherFetch?: SiteFetch | undefined;
  /** Time without data after which the request fails. */
  readonly stallMs: number;
  readonly abort: AbortController;
};

/**
 * Returns the answer that is not a redirect, and its URL.
 * @throws WebProblem
 */
export async function requestSite(request: SiteRequest): Promise<{ response: Response; url: string }> {
  const { abort, stallMs } = request;
  const { origin } = new URL(request.url);
  let { url } = request;
  // After a redirect to another origin the credential is not sent again, even to its own origin.
  let hasKeptOrigin = true;
  for (let redirects = 0; redirects <= redirectsMax; redirects++) {
    hasKeptOrigin &&= new URL(url).origin === origin;
    const other = request.otherFetch ?? siteFetch;
    const send = hasKeptOrigin ? (request.originFetch ?? other) : other;
    const answer = send(url, {
      headers: hasKeptOrigin ? { ...request.originHeaders, ...request.headers } : request.headers,
      decompress: false,
      signal: abort.signal,
    });
    const response = await withinStall(answer, url, stallMs, abort);
    if (![301, 302, 303, 307, 308].includes(response.status)) return { response, url };
    await response.body?.cancel().catch(() => {});
    const target = redirectTarget(url, response);
    const problem = await withinStall(redirectProblem(url, target), target, stallMs, abort);
    if (problem !== null) throw new WebProblem("final", problem);
    url = target;
  }
  throw new WebProblem(
    "final",
    `${redactUrl(request.url)} redirects more than ${redirectsMax} times, the last time to ${redactUrl(url)}: correct the web site`,
  );
}

/** Bun's fetch, which uses the proxies of the environment. */
export const siteFetch: SiteFetch = (url, { headers, signal }) =>
  fetch(url, {
    ...(headers === undefined ? {} : { headers }),
    ...(signal === undefined ? {} : { signal }),
    redirect: "manual",
    decompress: false,
    keepalive: mayReuseConnections(),
    // Stated, because NODE_TLS_REJECT_UNAUTHORIZED=0 would accept any certificate otherwise.
    tls: { rejectUnauthorized: true },
    // Disables Bun's limit of five minutes, because `stallMs` applies.
    timeout: false,
  });

function redirectTarget(from: string, { status, headers }: Response): string {
  const location = headers.get("location");
  if (!location) {
    const message = `${redactUrl(from)} answered ${status}, a redirect without a target: correct the web site`;
    throw new WebProblem("final", message);
  }
  // fetch decodes headers as Latin-1, but web sites send UTF-8.
  const target = URL.parse(Buffer.from(location, "latin1").toString("utf8"), from);
  if (target && (target.protocol === "http:" || target.protocol === "https:")) return target.href;
  const shown = target ? `${target.protocol}…` : `"${location.slice(0, 100)}"`;
  throw new WebProblem("final", `${redactUrl(from)} redirects to ${shown}, which is not a web address`);
}

/** Awaits a step of the transfer; aborts the transfer if it takes longer than `stallMs`. */
export async function withinStall<T>(
  step: Promise<T>,
  url: string,
  stallMs: number,
  abort: AbortController,
): Promise<T> {
  const stalled = new WebProblem(
    "again",
    `${redactUrl(url)} sent nothing for ${stallMs} ms: check the web site and the network`,
  );
  let isStalled = false;
  const timer = setTimeout(() => {
    isStalled = true;
    abort.abort(stalled);
  }, stallMs);
  try {
    return await step;
  } catch (error) {
    if (isStalled) throw stalled;
    throw connectionProblem(error, url);
  } finally {
    clearTimeout(timer);
  }
}
