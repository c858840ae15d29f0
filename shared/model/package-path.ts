/**
 * Rules for the paths in a package, its name and its version.
 *
 * A manifest is made on one system and unpacked on others, so the strictest system decides. A name
 * that Windows, macOS or Linux would refuse, rename or merge is refused everywhere, before a byte
 * is stored. Pure: the file system is not asked.
 *
 * Names with a meaning for a program only are allowed, for example `.git` and `autorun.inf`. Both
 * count at the root of a checkout or a volume, and installers have such files.
 */
import { hiddenCharacterIn } from "../hidden-characters.ts";

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
/** A name of such characters is in normal form C, and has one byte per character. */
const plainName = /^[ -~]*$/;
/** Replaces bytes that are not UTF-8 when a folder is listed. */
const replacementCharacter = "\ufffd";
// Device names of Windows are reserved with any extension: "nul.txt" is NUL.
const reservedName = /^(con|prn|aux|nul|clock\$|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) *(\.|$)/i;
/** Second name that Windows gives a file: "PROGRA~1" opens "Program Files". */
const shortName = /^(?=[^.]{2,8}(\.|$))[^.]+~\d+(\.[^.]{0,3})?$/;

const encoder = new TextEncoder();
const utf8Bytes = (text: string): number => encoder.encode(text).length;

/** Returns why `segment` cannot be a file or folder name on every system, or null when it can. */
function segmentProblem(segment: string): string | null {
  if (segment === "") return "it has an empty part";
  if (segment === "." || segment === "..") return `it has the part "${segment}"`;
  if (refusedCharacters.test(segment)) return 'it has a control character or one of \\ < > : " | ? *';
  if (/[. ]$/.test(segment)) return `"${segment}" ends with a dot or a space`;
  if (reservedName.test(segment)) return `"${segment}" is a reserved name on Windows`;
  if (shortName.test(segment)) return `"${segment}" is a short name that Windows may give to another file`;
  if (utf8Bytes(segment) > segmentBytesMax) return `a part is longer than ${segmentBytesMax} bytes`;
  return plainName.test(segment) ? null : unicodeProblem(segment);
}

function unicodeProblem(segment: string): string | null {
  const shown = JSON.stringify(segment);
  if (segment.includes(replacementCharacter)) return `${shown} is not valid UTF-8`;
  const invisible = hiddenCharacterIn(segment);
  if (invisible !== null) return `it has the invisible character ${invisible}`;
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
  if (utf8Bytes(path) > pathBytesMax) return `it is longer than ${pathBytesMax} bytes`;
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
  if (value.startsWith("-")) return "it starts with a dash, as options of commands do";
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
export function comparePaths(a: string, b: string): number {
  if (a === b) return 0;
  // Without surrogates the code units have the order of the bytes.
  if (!surrogate.test(a) && !surrogate.test(b)) return a < b ? -1 : 1;
  const end = Math.min(a.length, b.length);
  for (let at = 0; at < end; at++) {
    const [x, y] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (x !== y) return utf8Rank(x) < utf8Rank(y) ? -1 : 1;
  }
  return Math.sign(a.length - b.length);
}

const surrogate = /[\ud800-\udfff]/;
/** Rank of a code unit in UTF-8: surrogates stand for characters above all others. */
const utf8Rank = (unit: number): number => (unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit);

/**
 * Paths with equal results may be one file on Windows or macOS. Upper case of lower case is one
 * form for every letter with several lower-case forms ("ſ" and "s", "ς" and "σ"); it also makes "ß"
 * equal to "ss", which only some systems do.
 */
export const foldPath = (path: string): string =>
  plainName.test(path) ? path.toUpperCase() : path.toLowerCase().toUpperCase().normalize("NFC");

type Entry = { readonly path: string; readonly kind: "file" | "folder" | "link" };
/** An entry with a number by which the names in it are found. */
type Node = Entry & { readonly id: number };

/**
 * Upper bound on the folders of a package, also those that only contain others: each one costs
 * memory on every device.
 */
export const foldersMax = 100_000;

/**
 * Finds entries that cannot be in one folder on every system. Entries come in byte order, or in its
 * reverse, so that each folder is looked up once.
 */
export class PathConflicts {
  /** Id of the folder and folded name in it → the entry there. Folders of entries are included. */
  readonly #nodes = new Map<string, Node>();
  #folders = 0;
  /** Folders of the last entry, from the root, with the end of each one's path. */
  readonly #open: { readonly id: number; readonly end: number }[] = [];
  #lastPath = "";

  /**
   * Adds an entry.
   * @returns a sentence that names it and the entry in conflict with it, or null
   */
  add(entry: Entry): string | null {
    const { path, kind } = entry;
    const problem = this.#openFolders(path);
    if (problem !== null) return problem;
    const nameAt = this.#open.at(-1)?.end ?? -1;
    const { node: other, isNew } = this.#place(entry, nameAt + 1);
    if (isNew) return kind === "folder" ? this.#countFolder() : null;
    if (other.path !== path) return sameName(other.path, path);
    return other.kind === "folder" && kind !== "folder"
      ? `"${path}" is a ${kind} and also a folder with entries`
      : `"${path}" is listed twice`;
  }

  /** Opens the folders of a path; those that it shares with the last path are open. */
  #openFolders(path: string): string | null {
    while (this.#open.length > 0 && !this.#isInside(path, this.#open.at(-1)!.end)) this.#open.pop();
    this.#lastPath = path;
    const firstAt = (this.#open.at(-1)?.end ?? -1) + 1;
    for (let at = firstAt, end = path.indexOf("/", at); end >= 0; end = path.indexOf("/", at)) {
      const folder: Entry = { path: path.slice(0, end), kind: "folder" };
      const { node, isNew } = this.#place(folder, at);
      if (node.path !== folder.path) return sameName(node.path, folder.path);
      if (node.kind !== "folder") return `"${node.path}" is a ${node.kind} and also the folder of "${path}"`;
      const tooMany = isNew ? this.#countFolder() : null;
      if (tooMany !== null) return tooMany;
      this.#open.push({ id: node.id, end });
      at = end + 1;
    }
    return null;
  }

  #isInside(path: string, end: number): boolean {
    return path[end] === "/" && path.startsWith(this.#lastPath.slice(0, end));
  }

  #countFolder(): string | null {
    return ++this.#folders > foldersMax
      ? `there are more than ${foldersMax} folders: pack them into one archive`
      : null;
  }

  /** Returns the node at the entry's place in the open folder: a new one, or an earlier one. */
  #place(entry: Entry, nameAt: number): { node: Node; isNew: boolean } {
    const key = `${this.#open.at(-1)?.id ?? 0}/${foldPath(entry.path.slice(nameAt))}`;
    const earlier = this.#nodes.get(key);
    if (earlier !== undefined) return { node: earlier, isNew: false };
    const node: Node = { path: entry.path, kind: entry.kind, id: this.#nodes.size + 1 };
    this.#nodes.set(key, node);
    return { node, isNew: true };
  }
}

const sameName = (a: string, b: string): string =>
  `"${a}" and "${b}" are one name on systems that ignore case`;
