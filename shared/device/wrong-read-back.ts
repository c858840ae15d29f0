/** Files of a package that were wrong when they were read back from the disk. */

/**
 * Wrong read-backs after which the task fails. A bad disk or a crash causes one; a program that
 * changes a file each time causes one after the other, each with a download of that file.
 */
export const wrongReadBacksMax = 3;

/**
 * Returns what was wrong, and what to do.
 * @param paths files to name; none: not known
 * @param name name and version of the package
 */
export function wrongReadBackText(paths: readonly string[], name: string, count: number): string {
  const files = paths.map((path) => `"${path}"`).join(", ");
  const what = `${files || "parts"} of ${name} ${paths.length > 1 ? "were" : "was"} wrong when read back from the disk`;
  return count < wrongReadBacksMax
    ? `${what}: fetched again (check the disk, and what else changes files there)`
    : `${what}, ${wrongReadBacksMax} times: a virus scanner or a clean-up program seems to change or remove it. ` +
        "Exclude the cache's folder from it, then create the task again";
}
