/**
 * The words of target expressions: what each one names, and the kind of its values. Parser, matcher
 * and documents use this table.
 */
import { mediums } from "../interface.ts";

/**
 * `text`: names with `*` and `?`, without case. `choice`: one of a list. `version`, `size`: also
 * `< <= > >=`. `package`: NAME, NAME@VERSION or NAME@>=VERSION. `task`: the number of a task.
 */
export type WordKind =
  | { readonly kind: "text" | "version" | "size" | "package" | "task" | "subnet" | "device" }
  | { readonly kind: "choice"; readonly choices: readonly string[] };

type WordRow = WordKind & { readonly about: string; readonly example: string };

export const deviceClasses = ["server", "desktop", "laptop", "unknown"] as const;

export const targetWords = {
  name: { kind: "text", about: "host name of the device", example: "name=pc-*" },
  device: { kind: "device", about: "id of the device", example: "device=00112233aabbccdd" },
  tag: { kind: "text", about: "tag or group, given at the source", example: "tag=b7" },
  group: { kind: "text", about: "another word for tag", example: "group in (pilot, labs)" },
  site: { kind: "text", about: "site of the device's subnet; none: without a site", example: "site=Hamburg" },
  subnet: { kind: "subnet", about: "CIDR, name or id of the subnet", example: "subnet=10.1.0.0/16" },
  os: { kind: "text", about: "linux, windows, macos, or the system's text", example: "os=windows" },
  "os-version": { kind: "version", about: "version of the system", example: "os-version>=10.0.22000" },
  arch: { kind: "text", about: "architecture", example: "arch=arm64" },
  class: {
    kind: "choice",
    choices: deviceClasses,
    about: "server, desktop, laptop or unknown",
    example: "class=laptop",
  },
  medium: {
    kind: "choice",
    choices: mediums,
    about: "wired, wireless, vpn, virtual, loopback or unknown",
    example: "medium!=wireless",
  },
  battery: {
    kind: "choice",
    choices: ["yes", "no"],
    about: "yes or no: whether it runs on battery",
    example: "battery=no",
  },
  agent: { kind: "version", about: "version of the agent", example: "agent<0.2.0" },
  memory: { kind: "size", about: "memory", example: "memory>=8GiB" },
  "disk-free": { kind: "size", about: "free space on the disk of the cache", example: "disk-free<10GB" },
  cache: { kind: "size", about: "size of the cache", example: "cache>100GB" },
  "failed-in": { kind: "task", about: "the task has failed on the device", example: "failed-in=17" },
  "complete-in": { kind: "task", about: "the task is complete on the device", example: "complete-in=17" },
  has: { kind: "package", about: "ran a command of the package successfully", example: "has=editor@4.2" },
  lacks: { kind: "package", about: "the contrary of has", example: "lacks=editor@>=4.2" },
  holds: {
    kind: "package",
    about: "reported a complete copy in its cache",
    example: "holds=editor@4.2",
  },
} as const satisfies Record<string, WordRow>;

export type TargetWord = keyof typeof targetWords;

export const isTargetWord = (text: string): text is TargetWord => Object.hasOwn(targetWords, text);

/** Words that are not names of devices. */
export const targetKeywords: ReadonlySet<string> = new Set(["all", "and", "or", "not", "in"]);
