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

const utf8 = new TextEncoder();
// Characters that Windows refuses, the backslash, and the controls C0, DEL and C1.
// oxlint-disable-next-line no-control-regex
const refusedCharacters = /[<>:"|?*\\\u0000-\u001f\u007f-\u009f]/;
// Device names of Windows are reserved with any extension: "nul.txt" is NUL.
const reservedName = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) *(\.|$)/i;

/** Returns why `segment` cannot be a file or folder name on every system, or null when it can. */
function segmentProblem(segment: string): string | null {
  if (segment === "") return "it has an empty part";
  if (segment === "." || segment === "..") return `it has the part "${segment}"`;
  if (refusedCharacters.test(segment)) return 'it has a control character or one of \\ < > : " | ? *';
  if (/[. ]$/.test(segment)) return `"${segment}" ends with a dot or a space`;
  if (reservedName.test(segment)) return `"${segment}" is a reserved name on Windows`;
  if (utf8.encode(segment).length > segmentBytesMax) return `a part is longer than ${segmentBytesMax} bytes`;
  return null;
}

/**
 * Returns why `path` ("setup.exe", "data/a.bin") is not allowed in a manifest, or null when it is.
 */
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
const foldPath = (path: string): string => path.normalize("NFC").toLowerCase().toUpperCase().normalize("NFC");

/**
 * Returns a sentence that names the first two paths that cannot be in one folder on every system,
 * or null when there are none.
 */
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
