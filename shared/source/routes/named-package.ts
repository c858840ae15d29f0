/** The package that a request of an administrator names. */
import type { PackageRecord } from "../catalog/index.ts";
import { compareVersions } from "../../model/version-order.ts";
import { ApiError } from "../api-error.ts";
import type { SourceContext } from "../context.ts";

/**
 * Returns the package, also one whose upload is incomplete.
 *
 * @param words a package id, NAME (its highest version) or NAME@VERSION
 * @throws ApiError 404 for an unknown package
 */
export async function packageNamed({ catalog }: SourceContext, words: string): Promise<PackageRecord> {
  const at = words.lastIndexOf("@");
  const found =
    (await catalog.packages.byId(words)) ??
    (at > 0 ? await catalog.packages.byNameVersion(words.slice(0, at), words.slice(at + 1)) : null) ??
    newest((await catalog.packages.list()).filter((one) => one.name === words && one.state === "ready"));
  if (found) return found;
  throw new ApiError(
    404,
    `No package "${words}"`,
    "write an id, NAME or NAME@VERSION; package list shows all",
  );
}

const newest = (packages: readonly PackageRecord[]): PackageRecord | undefined =>
  packages.toSorted((a, b) => compareVersions(b.version, a.version))[0];
