/**
 * Response of a web site whose file is published: the request, the refusals, and the suggested file
 * name. The caller reads the body. Bun's fetch uses the proxies in HTTP_PROXY, HTTPS_PROXY and
 * NO_PROXY.
 */
import { ManifestError } from "../../model/manifest-error.ts";
import { pathProblem } from "../../model/package-path.ts";

/**
 * Requests `url` without compression.
 *
 * @throws ManifestError unless the web site responds with 200 and an uncompressed body
 */
export async function digestibleResponse(
  url: string,
  signal: AbortSignal | undefined,
): Promise<{ response: Response; totalBytes: number | null }> {
  let response: Response;
  try {
    response = await fetch(url, {
      headers: { "accept-encoding": "identity" },
      decompress: false,
      ...(signal && { signal }),
    });
  } catch (error) {
    signal?.throwIfAborted();
    throw new ManifestError(
      `Cannot reach ${url} (${(error as Error).message}): check the address, the proxy and the firewall`,
      { cause: error },
    );
  }
  const encoding = response.headers.get("content-encoding") ?? "identity";
  if (response.status !== 200 || encoding !== "identity") {
    await response.body?.cancel().catch(() => {});
    throw new ManifestError(
      response.status === 200
        ? `${url} sends "Content-Encoding: ${encoding}" although the request asked for identity: disable compression on the web site`
        : `${url} answered ${response.status} ${response.statusText}: only 200 can be published`,
    );
  }
  const length = response.headers.get("content-length");
  return { response, totalBytes: length !== null && /^\d{1,15}$/.test(length) ? Number(length) : null };
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
