/**
 * Files that a person chose or dropped: one file, or a folder with its paths. A browser tells no
 * executable bits, and follows links.
 */
import { comparePaths } from "../../../model/package-path.ts";

export type PickedFile = { readonly path: string; readonly file: File };
export type Picked = {
  /** Name of the file or folder. */
  readonly label: string;
  /** In the order of a manifest. */
  readonly files: readonly PickedFile[];
  /** Folders without entries. */
  readonly folders: readonly string[];
};

const pickedOf = (label: string, files: readonly PickedFile[], folders: readonly string[] = []): Picked => ({
  label,
  files: files.toSorted((a, b) => comparePaths(a.path, b.path)),
  folders: folders.toSorted(comparePaths),
});

/** Returns the choice of an input; null: nothing was chosen. */
export function pickedInInput({ files }: HTMLInputElement): Picked | null {
  const all = [...(files ?? [])];
  const [first] = all;
  if (first === undefined) return null;
  const folder = first.webkitRelativePath.split("/")[0] ?? "";
  if (folder === "") return pickedOf(first.name, [{ path: first.name, file: first }]);
  const pathOf = (file: File): string => file.webkitRelativePath.slice(folder.length + 1);
  return pickedOf(
    folder,
    all.map((file) => ({ path: pathOf(file), file })),
  );
}

/** Returns what was dropped; several files are the content of a folder. Null: no files. */
export async function pickedInDrop({ items }: DataTransfer): Promise<Picked | null> {
  // The list is empty after the event, so it is read before the first wait.
  const roots = [...items].flatMap((item) => item.webkitGetAsEntry() ?? []);
  // Files that are not of a file system, such as the attachment of a mail.
  const others = roots.length > 0 ? [] : [...items].flatMap((item) => item.getAsFile() ?? []);
  const [first] = [...roots, ...others];
  if (first === undefined) return null;
  const found: { files: PickedFile[]; folders: string[] } = {
    files: others.map((file) => ({ path: file.name, file })),
    folders: [],
  };
  const [root] = roots;
  if (roots.length === 1 && root?.isDirectory === true)
    for (const entry of await entriesIn(root as FileSystemDirectoryEntry)) await collect(entry, "", found);
  else for (const entry of roots) await collect(entry, "", found);
  return pickedOf(first.name, found.files, found.folders);
}

async function collect(
  entry: FileSystemEntry,
  prefix: string,
  found: { files: PickedFile[]; folders: string[] },
): Promise<void> {
  const path = prefix + entry.name;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => {
      (entry as FileSystemFileEntry).file(resolve, reject);
    });
    found.files.push({ path, file });
    return;
  }
  const entries = await entriesIn(entry as FileSystemDirectoryEntry);
  if (entries.length === 0) found.folders.push(path);
  for (const each of entries) await collect(each, `${path}/`, found);
}

/** Returns all entries of a folder, which the browser gives in parts. */
async function entriesIn(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) => {
      reader.readEntries(resolve, reject);
    });
    if (part.length === 0) return all;
    all.push(...part);
  }
}
