/**
 * Response of a web site whose file is published: the request, the refusals, and the suggested file
 * name. Redirects, limits and messages are those of a device that downloads (net/web/request.ts).
 */
import { ManifestError } from "../../model/manifest-error.ts";
import { pathProblem } from "../../model/package-path.ts";
import { redactUrl } from "../../model/package-url.ts";
import { describesFile } from "../../net/web/content-encoding.ts";
import { connectionProblem, withIssuer } from "../../net/web/problem.ts";
import { requestSite, withinStall } from "../../net/web/request.ts";
import type { SiteFetch } from "../../net/web/site-fetch.ts";

/** Time without data after which the web site is given up. */
const stallMs = 60_000;

/** A file of a web site. */
export type UrlContent = {
  /** URL that sent it, after redirects, without its query. */
  readonly lastUrl: string;
  /** Media type, for a person; empty if the web site stated none. */
  readonly type: string;
  /** Null if the web site did not state the length. */
  readonly totalBytes: number | null;
  /** False if a connection that breaks off looks like the end of the file. */
  readonly isEndProven: boolean;
  readonly disposition: string | null;
  readonly body: AsyncIterable<Uint8Array>;
};

/**
 * Requests the file at `url` without compression.
 * @param otherFetch sends the requests; default: Bun's fetch does
 *
 * @throws ManifestError unless the web site responds with 200 and an uncompressed body
 */
export async function openUrl(
  url: string,
  signal: AbortSignal | undefined,
  otherFetch?: SiteFetch,
): Promise<UrlContent> {
  const abort = new AbortController();
  signal?.addEventListener("abort", () => abort.abort(signal.reason), { once: true });
  const headers = { "accept-encoding": "identity" };
  const request = { url, originHeaders: {}, headers, originFetch: undefined, otherFetch, stallMs, abort };
  const answer = await requestSite(request).catch((error: unknown) => fail(error, url, signal));
  const { response } = answer;
  const problem = problemOf(response, url);
  if (problem !== null) {
    abort.abort();
    throw new ManifestError(problem);
  }
  const length = response.headers.get("content-length");
  const totalBytes = length !== null && /^\d{1,15}$/.test(length) ? Number(length) : null;
  return {
    lastUrl: redactUrl(answer.url),
    type: /^[\w.+-]+\/[\w.+-]+/.exec(response.headers.get("content-type") ?? "")?.[0] ?? "",
    totalBytes,
    isEndProven: totalBytes !== null || response.headers.get("transfer-encoding") !== null,
    disposition: response.headers.get("content-disposition"),
    body: bodyOf(response, url, abort, signal),
  };
}

async function* bodyOf(
  { body }: Response,
  url: string,
  abort: AbortController,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const reader = body?.getReader();
  if (!reader) return;
  try {
    for (;;) {
      const { done, value } = await withinStall(reader.read(), url, stallMs, abort);
      if (done) return;
      yield value;
    }
  } catch (error) {
    await fail(error, url, signal);
  } finally {
    abort.abort();
  }
}

/** Throws the problem in the words of a device. */
async function fail(error: unknown, url: string, signal: AbortSignal | undefined): Promise<never> {
  signal?.throwIfAborted();
  const problem = await withIssuer(connectionProblem(error, url), url);
  throw new ManifestError(`Cannot publish the URL: ${problem.message}`, { cause: error });
}

function problemOf({ status, statusText, headers }: Response, url: string): string | null {
  const where = redactUrl(url);
  if (status !== 200) {
    const hint =
      status === 403 && URL.parse(url)?.search ? "; the signature of the URL may have expired" : "";
    return `${where} answered ${status} ${statusText}: only 200 can be published${hint}`;
  }
  const encoding = headers.get("content-encoding");
  if (describesFile(encoding, url)) return null;
  return `${where} sends "Content-Encoding: ${encoding}" although the request asked for identity: disable compression on the web site`;
}

/**
 * Returns a safe file name: from Content-Disposition, else the last part of the URL, else the name
 * of the package.
 */
export function fileNameOf(url: string, disposition: string | null, packageName: string): string {
  const candidates = [dispositionName(disposition), lastSegment(url), packageName];
  return candidates.find((name) => name !== null && !name.includes("/") && pathProblem(name) === null)!;
}

const decoded = (text: string): string | null => {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
};

const lastSegment = (url: string): string | null => decoded(new URL(url).pathname.split("/").at(-1) ?? "");

/** Parses Content-Disposition (RFC 6266). `filename*` has priority over `filename`. */
function dispositionName(header: string | null): string | null {
  if (header === null) return null;
  const extended = /;\s*filename\*\s*=\s*utf-8'[^']*'([^;\s]+)/i.exec(header);
  if (extended) return decoded(extended[1]!);
  const plain = /;\s*filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s"]+))/i.exec(header);
  return plain ? (plain[1]?.replace(/\\(.)/g, "$1") ?? plain[2] ?? null) : null;
}
