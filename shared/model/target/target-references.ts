/** Names in a target: what its evaluation has to read, and what may be misspelt. Pure. */
import { foldedName, isPattern } from "../glob.ts";
import { noneName } from "../label-name.ts";
import { parsePackageValue } from "./package-words.ts";
import type { Target } from "./target-expression.ts";

export type TargetReferences = {
  readonly tags: ReadonlySet<string>;
  readonly sites: ReadonlySet<string>;
  /** Names or ids of subnets, without CIDRs. */
  readonly subnets: ReadonlySet<string>;
  readonly tasks: ReadonlySet<number>;
  /** Names of packages (`foldedName`). */
  readonly packages: ReadonlySet<string>;
  readonly devices: ReadonlySet<string>;
  /** Names or ids of devices of a bare list. */
  readonly names: ReadonlySet<string>;
};

/** Returns the names without patterns, as written. */
export function referencesOf(target: Target): TargetReferences {
  const found = {
    tags: new Set<string>(),
    sites: new Set<string>(),
    subnets: new Set<string>(),
    tasks: new Set<number>(),
    packages: new Set<string>(),
    devices: new Set<string>(),
    names: new Set<string>(),
  };
  collect(target, found);
  return found;
}

type Found = {
  [Key in keyof TargetReferences]: Set<TargetReferences[Key] extends ReadonlySet<infer T> ? T : never>;
};

function collect(target: Target, found: Found): void {
  switch (target.kind) {
    case "all":
      return;
    case "names":
      for (const name of target.names) found.names.add(name);
      return;
    case "not":
      return collect(target.part, found);
    case "and":
    case "or":
      for (const part of target.parts) collect(part, found);
      return;
    case "test":
      for (const value of target.values) note(target.word, value, found);
  }
}

function note(word: string, value: string, found: Found): void {
  if (word === "failed-in" || word === "complete-in") found.tasks.add(Number(value));
  else if (word === "has" || word === "lacks" || word === "holds")
    found.packages.add(foldedName(parsePackageValue(value)!.name));
  else if (word === "device") found.devices.add(value);
  else if (isPattern(value)) return;
  else if (word === "tag" || word === "group") found.tags.add(value);
  else if (word === "subnet" && !value.includes("/")) found.subnets.add(value);
  else if (word === "site" && foldedName(value) !== noneName) found.sites.add(value);
}
