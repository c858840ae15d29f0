/**
 * Removal of packages from the source: bytes, URLs, leases and account. A package that an open task
 * needs stays. Devices keep their copies until their own limits remove them.
 */
import { compareVersions } from "../model/version-order.ts";
import type { PackageRecord } from "./catalog/index.ts";
import type { SourceContext } from "./context.ts";

type RemovalContext = Pick<SourceContext, "catalog" | "content" | "log">;

/** Removes a package. @returns the open tasks that need it; it stays for them */
export async function removePackage(
  { catalog, content, log }: RemovalContext,
  { id, name, version }: PackageRecord,
): Promise<number[]> {
  const needed = await catalog.packages.remove(id);
  if (needed.length > 0) return needed;
  await content.remove(id);
  log.info({ packageId: id, name, version }, "package removed");
  return [];
}

/**
 * Removes the packages that are not among the newest `count` of their name, by the order of
 * versions, and that no open task needs.
 */
export async function keepNewest(context: RemovalContext, count: number): Promise<void> {
  const ready = (await context.catalog.packages.list()).filter(({ state }) => state === "ready");
  for (const versions of Map.groupBy(ready, ({ name }) => name.toLowerCase()).values()) {
    const newestFirst = versions.toSorted((a, b) => compareVersions(b.version, a.version));
    for (const old of newestFirst.slice(count)) await removePackage(context, old);
  }
}
