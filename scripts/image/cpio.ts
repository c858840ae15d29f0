/** Writes an archive of the format "newc", which the kernel unpacks as its first file system. */

export type ArchiveEntry = {
  /** Path without a leading slash. */
  readonly path: string;
  /** Type and permission bits. */
  readonly mode: number;
  readonly bytes: Uint8Array;
};

export const folderMode = 0o040_755;
export const programMode = 0o100_755;
export const fileMode = 0o100_644;
export const linkMode = 0o120_777;

const hex = (value: number): string => value.toString(16).padStart(8, "0").toUpperCase();
const padding = (length: number): Uint8Array => new Uint8Array((4 - (length % 4)) % 4);

/** Returns one entry. All belong to root, and have no time: the archive is reproducible. */
function entryBytes({ path, mode, bytes }: ArchiveEntry, inode: number): Uint8Array {
  const name = Buffer.from(`${path}\0`);
  const fields = [inode, mode, 0, 0, 1, 0, bytes.length, 0, 0, 0, 0, name.length, 0];
  const header = Buffer.from(`070701${fields.map(hex).join("")}`);
  return Buffer.concat([header, name, padding(header.length + name.length), bytes, padding(bytes.length)]);
}

/** @param entries folders before what is in them */
export function archiveOf(entries: readonly ArchiveEntry[]): Uint8Array {
  const end = { path: "TRAILER!!!", mode: 0, bytes: new Uint8Array(0) };
  return Buffer.concat([...entries, end].map((entry, index) => entryBytes(entry, index + 1)));
}
