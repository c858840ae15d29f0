/**
 * The image of a task: which disk of a device gets it, whether the disk may hold data, and how the
 * machine ends. Part of the order that an operator's key signs. Pure.
 */
import * as v from "valibot";
import { foldedName, matchesPattern } from "./glob.ts";
import { formatSize, parseSizeBytes } from "./quantity.ts";

const bytes = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER));
const text = (max: number) =>
  v.pipe(v.string(), v.minLength(1), v.maxLength(max), v.regex(/^\P{Cc}+$/u, "no control characters"));

/** End of the machine after the image and the command: it runs on, restarts or is switched off. */
export const machineEnds = ["stay", "reboot", "poweroff"] as const;
export type MachineEnd = (typeof machineEnds)[number];

/** Conditions on the wanted disk; null: not a condition. */
export const diskChoiceSchema = v.object({
  /** Path of the disk on the device. */
  path: v.nullable(v.pipe(text(255), v.regex(/^\/dev\//, "a path begins with /dev/"))),
  /** Pattern of the model, with `*` and `?`. */
  model: v.nullable(text(128)),
  /** Pattern of the serial number. */
  serial: v.nullable(text(128)),
  minBytes: v.nullable(bytes),
  maxBytes: v.nullable(bytes),
});
export type DiskChoice = v.InferOutput<typeof diskChoiceSchema>;

export const imageOrderSchema = v.object({
  disk: diskChoiceSchema,
  /** Whether a disk that holds data may be overwritten. */
  overwrite: v.boolean(),
  machineEnd: v.picklist(machineEnds),
});
export type ImageOrder = v.InferOutput<typeof imageOrderSchema>;

/** No condition: the only fixed disk of the device. */
export const anyDisk: DiskChoice = { path: null, model: null, serial: null, minBytes: null, maxBytes: null };

/** A disk of this machine. */
export type DiskFacts = {
  readonly path: string;
  readonly model: string;
  readonly serial: string;
  readonly sizeBytes: number;
  readonly isReadOnly: boolean;
  /** Whether a person can take it out of the machine: disks on USB and memory cards too. */
  readonly isRemovable: boolean;
  /** Whether another disk or file backs it, as a loop device: counts only if named by its path. */
  readonly isVirtual: boolean;
  /** Uses of the disk or its partitions, such as "/dev/sda1 on /home"; empty: nothing. */
  readonly uses: readonly string[];
};

/** Fields of the text form, each with the parser of its value. */
const choiceFields = {
  path: (value: string) => ({ path: value }),
  model: (value: string) => ({ model: value }),
  serial: (value: string) => ({ serial: value }),
  min: (value: string) => ({ minBytes: parseSizeBytes(value) }),
  max: (value: string) => ({ maxBytes: parseSizeBytes(value) }),
} as const;

const isField = (name: string): name is keyof typeof choiceFields => Object.hasOwn(choiceFields, name);

/**
 * Parses a choice such as "model=Samsung*,min=200GB,max=600GB" or "path=/dev/sda".
 * @throws Error that names the wrong part
 */
export function parseDiskChoice(words: string): DiskChoice {
  let choice = anyDisk;
  for (const part of words.split(",").map((one) => one.trim())) {
    const at = part.indexOf("=");
    const name = part.slice(0, Math.max(0, at));
    if (!isField(name))
      throw new Error(
        `"${part}" is not a condition of a disk: use path=, model=, serial=, min= or max=, with commas`,
      );
    choice = Object.assign({}, choice, choiceFields[name](part.slice(at + 1).trim()));
  }
  const parsed = v.safeParse(diskChoiceSchema, choice);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw new Error(`the condition ${v.getDotPath(issue)} of the disk is wrong: ${issue.message}`);
}

/** Returns the text form of a choice, which `parseDiskChoice` reads; empty: no condition. */
export const diskChoiceForm = ({ path, model, serial, minBytes, maxBytes }: DiskChoice): string =>
  [
    ["path", path],
    ["model", model],
    ["serial", serial],
    ["min", minBytes],
    ["max", maxBytes],
  ]
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}=${value}`)
    .join(",");

/** Returns a choice in words, for people. */
export function diskChoiceText(choice: DiskChoice): string {
  return conditionsText(choice) || "the only fixed disk";
}

/** Returns the conditions in words; empty: there are none. */
export function conditionsText({ path, model, serial, minBytes, maxBytes }: DiskChoice): string {
  const parts = [
    path,
    model === null ? null : `model ${model}`,
    serial === null ? null : `serial ${serial}`,
    minBytes === null ? null : `at least ${formatSize(minBytes)}`,
    maxBytes === null ? null : `at most ${formatSize(maxBytes)}`,
  ].filter((part) => part !== null);
  return parts.join(", ");
}

/** Returns an order in words, for the person who signs it. */
export function imageOrderText({ disk, overwrite, machineEnd }: ImageOrder): string {
  const data = overwrite ? "also if it holds data" : "only if it is empty or has a part of an image";
  const end = machineEnd === "stay" ? "" : `, then ${machineEnd}`;
  return `to ${diskChoiceText(disk)}, ${data}${end}`;
}

/** Returns a disk in words. */
export const diskText = ({ path, model, serial, sizeBytes }: DiskFacts): string =>
  [path, model, serial, formatSize(sizeBytes)].filter((part) => part !== "").join(" ");

const fits = (pattern: string | null, name: string): boolean =>
  pattern === null || matchesPattern(foldedName(pattern), foldedName(name));

/**
 * Returns the disks that a choice means. Read-only disks never count. Virtual ones count if the
 * path is named, removable ones if path, model or serial is.
 */
export function matchingDisks(choice: DiskChoice, disks: readonly DiskFacts[]): DiskFacts[] {
  const { path, model, serial } = choice;
  const isNamed = path !== null || model !== null || serial !== null;
  return disks.filter(
    (disk) =>
      !disk.isReadOnly &&
      (path !== null || !disk.isVirtual) &&
      (isNamed || !disk.isRemovable) &&
      fulfils(choice, disk),
  );
}

/** Whether a disk has what the conditions name. Used alone, they can only narrow a choice. */
export const fulfils = ({ path, model, serial, minBytes, maxBytes }: DiskChoice, disk: DiskFacts): boolean =>
  (path === null || disk.path === path) &&
  fits(model, disk.model) &&
  fits(serial, disk.serial) &&
  disk.sizeBytes >= (minBytes ?? 0) &&
  disk.sizeBytes <= (maxBytes ?? Number.MAX_SAFE_INTEGER);
