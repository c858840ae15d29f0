/**
 * The words of reasons of tasks that write an image to a disk, a part of reason-table.ts. Texts of
 * the operating system are parameters.
 */
import * as v from "valibot";
import { row, words } from "./reason-row.ts";

const text = v.string();
const count = v.pipe(v.number(), v.minValue(0));
const bytes = count;

export const imageReasons = {
  "looks-at-disk": row({ disk: text }, ({ disk }) => `looks at the disk ${disk}`),
  "compares-disk": row({ disk: text }, ({ disk }) => `compares the disk ${disk} with the image`),
  "image-written": row({ disk: text }, ({ disk }) => `the image is on the disk ${disk}, and was read back`),
  "not-imaging": words(
    "this agent runs on an installed system, and not in an imaging environment: it writes no disk; start the machine from the boot image, or the agent with --imaging",
  ),
  "other-task-only": row(
    { taskId: count },
    ({ taskId }) => `the machine was started for task ${taskId} only (flockcast.task, --only-task)`,
  ),
  "not-one-file": row(
    { fileCount: count },
    ({ fileCount }) => `the package has ${fileCount} files or links: an image is a package of one file`,
  ),
  "no-disk": row(
    { wanted: text, found: text },
    ({ wanted, found }) => `no disk of this machine is ${wanted}: it has ${found === "" ? "none" : found}`,
  ),
  "several-disks": row(
    { wanted: text, found: text },
    ({ wanted, found }) => `several disks are ${wanted}: ${found}; name one by model, serial, size or path`,
  ),
  "disk-too-small": row(
    { disk: text, neededBytes: bytes },
    ({ disk, neededBytes }, { size }) => `the disk ${disk} is too small: the image has ${size(neededBytes)}`,
  ),
  "disk-in-use": row(
    { disk: text, uses: text },
    ({ disk, uses }) =>
      `the disk ${disk} is in use${uses === "" ? "" : ` (${uses})`}: unmount it, or name another disk`,
  ),
  "disk-holds-data": row(
    { disk: text, found: text },
    ({ disk, found }) =>
      `the disk ${disk} holds ${found}, and the order does not say that it may be overwritten: task create --overwrite signs one that does`,
  ),
} as const;
