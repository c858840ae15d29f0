/**
 * Files of a source's data folder. A backup reads this table, so a new private file is added
 * here.
 */

/**
 * - `snapshot`: a consistent copy, made by the catalog itself
 * - `copy`: as it is
 * - `on-request`: the bytes of packages, which can be published again
 * - `never`: valid for one run of the source, or made again at its next start
 */
type BackupKind = "snapshot" | "copy" | "on-request" | "never";

export const dataFiles = {
  catalog: { name: "catalog.db", backup: "snapshot" },
  adminToken: { name: "admin.token", backup: "copy" },
  enrollToken: { name: "enroll.token", backup: "copy" },
  identityKey: { name: "identity.key", backup: "copy" },
  signingKeys: { name: "signing.keys", backup: "copy" },
  tlsKey: { name: "tls.key", backup: "never" },
  tlsCertificate: { name: "tls.crt", backup: "never" },
  packages: { name: "packages", backup: "on-request" },
  url: { name: "source.url", backup: "never" },
} as const satisfies Record<string, { readonly name: string; readonly backup: BackupKind }>;

/** Prefix of a copy of the catalog that a backup is made from. A start removes what is left. */
export const snapshotPrefix = "backup-";

/** Files that every backup has, in their order. */
export const backedUpNames: readonly string[] = Object.values(dataFiles)
  .filter(({ backup }) => backup === "snapshot" || backup === "copy")
  .map(({ name }) => name);

/** Returns the path of a package's bytes below the data folder, with `/` on every system. */
export const contentName = (packageId: string): string => `${dataFiles.packages.name}/${packageId}/content`;

const contentPattern = new RegExp(`^${dataFiles.packages.name}/[0-9a-f]{64}/content$`);

export const isContentName = (name: string): boolean => contentPattern.test(name);
