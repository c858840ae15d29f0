/**
 * Publication of a file of a web site by the source itself: it reads the file once, digests it,
 * keeps nothing of it, and signs the manifest with its own publisher's key. Devices download the
 * file from the web site.
 */
import type { PublicationRequest } from "../api/schema/publishing.ts";
import { chunkSizeBefore } from "../model/chunk-size-before.ts";
import type { NamedCommand } from "../model/package-command.ts";
import { signed } from "../model/signing.ts";
import { ApiError } from "./api-error.ts";
import type { SourceContext } from "./context.ts";
import { publishPackage } from "./publish-package.ts";
import { digestUrl } from "./publishing/digest-files.ts";
import { guardedFetch } from "./publishing/guarded-fetch.ts";
import type { Work } from "./publishing/publications.ts";

/** @throws ApiError 409 for a source without signing keys */
export async function requireOwnKeys({ trust }: Pick<SourceContext, "trust">) {
  const keys = await trust.keys();
  if (keys !== null) return keys;
  throw new ApiError(
    409,
    "This source has no signing keys, and cannot sign a package",
    "publish with a publisher's key: flockcast-source publish PATH --name NAME --version VERSION --key FILE",
  );
}

/** Returns the work of a publication. Its errors are ApiError or ManifestError. */
export const fetchPackage =
  (
    context: SourceContext,
    { name, version, url }: PublicationRequest,
    commands: readonly NamedCommand[],
  ): Work =>
  async (signal, note) => {
    const { catalog, publishNetworks, log } = context;
    try {
      const { manifest, bytes, content } = await digestUrl(url, {
        name,
        version,
        commands,
        chunkSizeBytesBefore: chunkSizeBefore(await catalog.packages.list(), { name, version }),
        signal,
        siteFetch: guardedFetch(publishNetworks),
        onProgress: (doneBytes, totalBytes) => note({ doneBytes, totalBytes }),
      });
      note({ state: "signing" });
      const { publisher } = await requireOwnKeys(context);
      const publicKey = new Uint8Array(Buffer.from(publisher.key, "hex"));
      const envelope = signed(bytes, { privateKey: publisher.privateKey, publicKey });
      signal.throwIfAborted();
      const { packageId } = await publishPackage(context, envelope, [{ url, layout: "file" }]);
      const { type, lastUrl, isEndProven } = content;
      note({ packageId, file: { path: manifest.files[0]!.path, type, lastUrl, isEndProven } });
    } catch (error) {
      log.warn({ name, version, error: String(error) }, "a publication by URL has ended early");
      throw error;
    }
  };
