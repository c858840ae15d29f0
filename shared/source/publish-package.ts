/**
 * Publishing of a signed manifest: its signature, its publisher, and its record in the catalog. The
 * bytes follow in an upload, or web sites have them.
 */
import type { PublishResponse } from "../api/schema/admin.ts";
import { type Manifest } from "../model/manifest.ts";
import { ManifestError } from "../model/manifest-error.ts";
import { redactUrl, type PackageUrl } from "../model/package-url.ts";
import { verifySigned, type SignedManifest } from "../model/signing.ts";
import { publisherKeysFor, type TrustFile } from "../model/trust/index.ts";
import { ApiError } from "./api-error.ts";
import type { PackageRecord } from "./catalog/index.ts";
import type { SourceContext } from "./context.ts";
import { checkUrls } from "./routes/package-urls.ts";

/**
 * Verifies the signature of a manifest and its publisher.
 *
 * @throws ApiError for a second publisher, a wrong signature or an invalid manifest
 */
async function verified(
  context: SourceContext,
  signed: SignedManifest,
): Promise<{ manifest: Manifest; id: string }> {
  let read: { manifest: Manifest; id: string };
  try {
    read = await verifySigned(signed, [signed.publisherKey]);
  } catch (error) {
    if (error instanceof ManifestError)
      throw new ApiError(400, error.message, "correct the package, and publish it again");
    throw error;
  }
  const { name } = read.manifest;
  const isKnown = (): boolean =>
    publisherKeysFor(context.trust.file, name).some((key) => Buffer.from(key).equals(signed.publisherKey));
  if (!isKnown()) await registerFirstKey(context, signed.publisherKey);
  if (isKnown()) return read;
  throw new ApiError(
    409,
    `The manifest is signed with a publisher's key that the trust file does not list for "${name}"`,
    "publish with --key and a listed key, or list this one: trust add-key --role publisher",
  );
}

/**
 * Stores a signed manifest, and the web sites that have its bytes.
 * @throws ApiError for a wrong signature, an unlisted publisher and a version with other content
 */
export async function publishPackage(
  context: SourceContext,
  signed: SignedManifest,
  urls: readonly PackageUrl[],
): Promise<PublishResponse> {
  const { catalog, content, log } = context;
  const { manifest, id } = await verified(context, signed);
  const known = await catalog.packages.byId(id);
  checkUrls(urls, known?.urls ?? [], manifest.files.length);
  if (known === null) {
    const taken = await catalog.packages.byNameVersion(manifest.name, manifest.version);
    if (taken?.state === "ready") {
      const what = `${taken.name} ${taken.version} is published with other content (${taken.id})`;
      throw new ApiError(
        409,
        what,
        "a version never changes once published, and names that differ only by case are one: choose another version",
      );
    }
    const record: PackageRecord = {
      id,
      name: manifest.name,
      version: manifest.version,
      sizeBytes: manifest.sizeBytes,
      fileCount: manifest.files.length,
      chunkSizeBytes: manifest.chunkSizeBytes,
      commands: manifest.commands.map(({ name, lines }) => ({ name, lines: [...lines] })),
      urls: [],
      state: "uploading",
      publishedAtMs: context.nowMs(),
      packageKey: context.randomBytes(16),
    };
    await catalog.packages.add(record, signed);
    // `add` has replaced an upload of the same name and version.
    if (taken) await content.remove(taken.id);
    log.info({ packageId: id, name: record.name, version: record.version }, "package published");
  } else await catalog.packages.replaceSignature(id, signed);
  for (const each of urls) {
    await catalog.packages.addUrl(id, each);
    log.info({ packageId: id, url: redactUrl(each.url) }, "URL added");
  }
  const contentNeeded =
    urls.length === 0 && !(known?.state === "ready" && (await content.has(id, manifest.sizeBytes)));
  return { packageId: id, contentNeeded };
}

/**
 * Lists the key of the first publisher, while nothing is published and the source can sign. Devices
 * learn it at a check-in, so the connected ones are notified.
 */
async function registerFirstKey(context: SourceContext, publisherKey: Uint8Array): Promise<void> {
  const { catalog, trust, changeHub } = context;
  if ((await catalog.packages.list()).length > 0) return;
  const key = Buffer.from(publisherKey).toString("hex");
  const add = ({ publishers }: TrustFile) => ({ publishers: [...publishers, { key, packages: [] }] });
  if (!(await trust.change(add))) return;
  await context.orders.renewFreshness();
  changeHub.notifyAll();
}
