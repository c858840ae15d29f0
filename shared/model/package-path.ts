/**
 * Which names a package may give to its files, its name and its version.
 *
 * A manifest is made on one system and unpacked on others, so the strictest of them decides: what Windows, macOS or
 * Linux would refuse, rename or merge is refused everywhere, before a byte is stored. This file knows no file system.
 */

const pathBytesMax = 1_024;
/** The longest file name of ext4, NTFS and APFS. */
const segmentBytesMax = 255;
/** Deeper trees exist in no installer; the bound keeps the conflict check linear in the manifest's size. */
const depthMax = 64;
const nameLengthMax = 128;
const versionLengthMax = 64;

const utf8 = new TextEncoder();
// The characters Windows refuses, the backslash, and C0, DEL and C1 controls.
// oxlint-disable-next-line no-control-regex
const refusedCharacters = /[<>:"|?*\\\u0000-\u001f\u007f-\u009f]/;
// Devices keep their meaning with any extension: "nul.txt" is NUL.
const reservedName = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) *(\.|$)/i;

/** Why `segment` cannot be a file or folder name everywhere, or null when it can. */
function segmentProblem(segment: string): string | null {
  if (segment === "") return "it has an empty part";
  if (segment === "." || segment === "..") return `it has the part "${segment}"`;
  if (refusedCharacters.test(segment)) return 'it has a control character or one of \\ < > : " | ? *';
  if (/[. ]$/.test(segment)) return `"${segment}" ends with a dot or a space`;
  if (reservedName.test(segment)) return `"${segment}" is a reserved name on Windows`;
  if (utf8.encode(segment).length > segmentBytesMax) return `a part is longer than ${segmentBytesMax} bytes`;
  return null;
}

/** Why `path` ("setup.exe", "data/a.bin") may not stand in a manifest, or null when it may. */
export function pathProblem(path: string): string | null {
  if (path === "") return "it is empty";
  if (!path.isWellFormed()) return "it is not valid Unicode";
  if (utf8.encode(path).length > pathBytesMax) return `it is longer than ${pathBytesMax} bytes`;
  if (path.startsWith("/")) return "it is absolute";
  const segments = path.split("/");
  if (segments.length > depthMax) return `it is deeper than ${depthMax} folders`;
  for (const segment of segments) {
    const problem = segmentProblem(segment);
    if (problem) return problem;
  }
  return null;
}

/** Names and versions become one folder each. */
function folderNameProblem(value: string, lengthMax: number): string | null {
  if (value.length === 0 || value.length > lengthMax) return `it must have 1 to ${lengthMax} characters`;
  if (!/^[A-Za-z0-9._+-]+$/.test(value)) return "only A-Z a-z 0-9 . _ + - may stand in it";
  if (value.startsWith(".")) return "it starts with a dot";
  return segmentProblem(value);
}

export const packageNameProblem = (name: string): string | null => folderNameProblem(name, nameLengthMax);
export const versionProblem = (version: string): string | null =>
  folderNameProblem(version, versionLengthMax);

/** Byte order of the UTF-8 form: the same on every system and in every language. */
export const comparePaths = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** Two paths with the same fold are one file on Windows or macOS. */
const foldPath = (path: string): string => path.normalize("NFC").toLowerCase();

/** The first pair of paths that cannot lie in one folder everywhere, said as a sentence; null when all can. */
export function pathConflict(paths: readonly string[]): string | null {
  const files = new Map<string, string>();
  for (const path of paths) {
    const fold = foldPath(path);
    const other = files.get(fold);
    if (other !== undefined) {
      return other === path
        ? `"${path}" is listed twice`
        : `"${other}" and "${path}" are one file on systems that ignore case`;
    }
    files.set(fold, path);
  }
  for (const [fold, path] of files) {
    for (let slash = fold.indexOf("/"); slash >= 0; slash = fold.indexOf("/", slash + 1)) {
      const file = files.get(fold.slice(0, slash));
      if (file !== undefined) return `"${file}" is a file and also the folder of "${path}"`;
    }
  }
  return null;
}
