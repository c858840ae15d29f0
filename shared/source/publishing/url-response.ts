/**
 * The answer of a web site that can be published: the request, what is refused, and the file name it suggests.
 * It reads no body. Bun's fetch takes proxies from HTTP_PROXY, HTTPS_PROXY and NO_PROXY by itself.
 */
import { ManifestError } from "../../model/manifest-error.ts";
import { pathProblem } from "../../model/package-path.ts";

/** @throws ManifestError unless the site answers 200 with the bytes as they are, not compressed on the way. */
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
        ? `${url} sends "Content-Encoding: ${encoding}" though the bytes as they are were asked for: switch that off on the web site`
        : `${url} answered ${response.status} ${response.statusText}: only 200 can be published`,
    );
  }
  const length = response.headers.get("content-length");
  return { response, totalBytes: length !== null && /^\d{1,15}$/.test(length) ? Number(length) : null };
}

/** A safe file name: from Content-Disposition, else the URL's last part, else the package's name. */
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

/** RFC 6266: `filename*=UTF-8''…` goes before `filename="…"`. */
function dispositionName(header: string | null): string | null {
  if (header === null) return null;
  const extended = /;\s*filename\*\s*=\s*utf-8'[^']*'([^;\s]+)/i.exec(header);
  if (extended) return decoded(extended[1]!);
  const plain = /;\s*filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s"]+))/i.exec(header);
  return plain ? (plain[1]?.replace(/\\(.)/g, "$1") ?? plain[2] ?? null) : null;
}
