/** Files of a package that were wrong when they were read back from the disk. */
import { reason, type Reason } from "../model/reason.ts";

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
export const wrongReadBackReason = (paths: readonly string[], name: string, count: number): Reason =>
  reason("files-wrong", {
    paths: paths.map((path) => `"${path}"`).join(", "),
    pathCount: paths.length,
    package: name,
    times: count,
    timesMax: wrongReadBacksMax,
  });
