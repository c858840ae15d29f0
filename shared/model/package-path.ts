/**
 * Rules for the paths in a package, its name and its version.
 *
 * A manifest is made on one system and unpacked on others, so the strictest system decides. A name
 * that Windows, macOS or Linux would refuse, rename or merge is refused everywhere, before a byte
 * is stored. Pure: the file system is not asked.
 */

const pathBytesMax = 1_024;
/** Longest file name of ext4, NTFS and APFS. */
const segmentBytesMax = 255;
/**
 * Upper bound on nested folders. No installer has deeper trees, and the bound keeps the conflict
 * check linear in the size of the manifest.
 */
const depthMax = 64;
const nameLengthMax = 128;
const versionLengthMax = 64;

// Characters that Windows refuses, the backslash, and the controls C0, DEL and C1.
// oxlint-disable-next-line no-control-regex
const refusedCharacters = /[<>:"|?*\\\u0000-\u001f\u007f-\u009f]/;
/** Invisible characters: formats, directions of text, and separators of lines. */
const invisibleCharacters = /[\p{Cf}\p{Zl}\p{Zp}]/u;
/** A name of such characters is in normal form C, and has one byte per character. */
const plainName = /^[ -~]*$/;
/** Replaces bytes that are not UTF-8 when a folder is listed. */
const replacementCharacter = "\ufffd";
// Device names of Windows are reserved with any extension: "nul.txt" is NUL.
const reservedName = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) *(\.|$)/i;

/** Returns why `segment` cannot be a file or folder name on every system, or null when it can. */
function segmentProblem(segment: string): string | null {
  if (segment === "") return "it has an empty part";
  if (segment === "." || segment === "..") return `it has the part "${segment}"`;
  if (refusedCharacters.test(segment)) return 'it has a control character or one of \\ < > : " | ? *';
  if (/[. ]$/.test(segment)) return `"${segment}" ends with a dot or a space`;
  if (reservedName.test(segment)) return `"${segment}" is a reserved name on Windows`;
  if (Buffer.byteLength(segment) > segmentBytesMax) return `a part is longer than ${segmentBytesMax} bytes`;
  return plainName.test(segment) ? null : unicodeProblem(segment);
}

function unicodeProblem(segment: string): string | null {
  const shown = JSON.stringify(segment);
  if (segment.includes(replacementCharacter)) return `${shown} is not valid UTF-8`;
  const invisible = invisibleCharacters.exec(segment)?.[0];
  if (invisible !== undefined) {
    const code = invisible.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
    return `it has the invisible character U+${code}`;
  }
  // macOS and some programs take the forms for one name, Linux and Windows for two.
  if (segment.normalize("NFC") !== segment)
    return `${shown} is not in Unicode normal form C (composed letters)`;
  return null;
}

/**
 * Returns why `path` ("setup.exe", "data/a.bin") is not allowed in a manifest, or null when it is.
 */
export function pathProblem(path: string): string | null {
  if (path === "") return "it is empty";
  if (!path.isWellFormed()) return "it is not valid Unicode";
  if (Buffer.byteLength(path) > pathBytesMax) return `it is longer than ${pathBytesMax} bytes`;
  if (path.startsWith("/")) return "it is absolute";
  const segments = path.split("/");
  if (segments.length > depthMax) return `it is deeper than ${depthMax} folders`;
  for (const segment of segments) {
    const problem = segmentProblem(segment);
    if (problem) return problem;
  }
  return null;
}

/** Names and versions each become one folder, so the rules of a segment apply. */
function folderNameProblem(value: string, lengthMax: number): string | null {
  if (value.length === 0 || value.length > lengthMax) return `it must have 1 to ${lengthMax} characters`;
  if (!/^[A-Za-z0-9._+-]+$/.test(value)) return "only A-Z a-z 0-9 . _ + - are allowed";
  if (value.startsWith(".")) return "it starts with a dot";
  return segmentProblem(value);
}

/** Returns why `name` is not a valid package name, or null. */
export const packageNameProblem = (name: string): string | null => folderNameProblem(name, nameLengthMax);
/** Returns why `version` is not a valid package version, or null. */
export const versionProblem = (version: string): string | null =>
  folderNameProblem(version, versionLengthMax);

/**
 * Compares by the bytes of the UTF-8 form: the order is equal on every system and in every locale.
 */
export const comparePaths = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/**
 * Paths with equal results may be one file on Windows or macOS. Upper case of lower case is one
 * form for every letter with several lower-case forms ("ſ" and "s", "ς" and "σ"); it also makes "ß"
 * equal to "ss", which only some systems do.
 */
export const foldPath = (path: string): string =>
  plainName.test(path) ? path.toUpperCase() : path.toLowerCase().toUpperCase().normalize("NFC");

type Entry = { readonly path: string; readonly kind: "file" | "folder" | "link" };

/** Finds entries that cannot be in one folder on every system. */
export class PathConflicts {
  /** Folded path → the entry there. Folders of entries are included. */
  readonly #entries = new Map<string, Entry>();
  /** Folder of the last entry: neighbours in byte order share it. */
  #lastFolder = "";

  /**
   * Adds an entry.
   * @returns a sentence that names it and the entry in conflict with it, or null
   */
  add(entry: Entry): string | null {
    const folder = entry.path.slice(0, Math.max(0, entry.path.lastIndexOf("/")));
    const inFolder = folder === this.#lastFolder ? null : this.#addFolder(folder, entry.path);
    if (inFolder !== null) return inFolder;
    this.#lastFolder = folder;
    const other = this.#take(entry);
    if (other === null) return null;
    if (other.path !== entry.path) return sameName(other.path, entry.path);
    return other.kind === "folder" && entry.kind !== "folder"
      ? `"${other.path}" is a ${entry.kind} and also a folder with entries`
      : `"${entry.path}" is listed twice`;
  }

  #addFolder(folder: string, path: string): string | null {
    if (folder === "") return null;
    for (let end = folder.indexOf("/"); ; end = folder.indexOf("/", end + 1)) {
      const part = end < 0 ? folder : folder.slice(0, end);
      const other = this.#take({ path: part, kind: "folder" });
      if (other !== null && other.path !== part) return sameName(other.path, part);
      if (other !== null && other.kind !== "folder")
        return `"${other.path}" is a ${other.kind} and also the folder of "${path}"`;
      if (end < 0) return null;
    }
  }

  /** Takes the place of an entry; returns the entry that has it already, or null. */
  #take(entry: Entry): Entry | null {
    const fold = foldPath(entry.path);
    const other = this.#entries.get(fold);
    if (other !== undefined) return other;
    this.#entries.set(fold, entry);
    return null;
  }
}

const sameName = (a: string, b: string): string =>
  `"${a}" and "${b}" are one name on systems that ignore case`;
