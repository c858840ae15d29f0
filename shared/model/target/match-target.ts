/**
 * Evaluates targets over one device. Pure.
 *
 * Truth has three values: a test is unknown (null) where the device has not stated the fact, or the
 * source does not know the task or the site. Unknown matches nothing, also under `not`: a device
 * that has not stated its class is neither a laptop nor no laptop. A device that evaluates a target
 * itself knows less than the source: its tags and other names are unknown to it.
 */
import { foldedName, isPattern, matchesPattern } from "../glob.ts";
import { noneName } from "../label-name.ts";
import { parseSizeBytes } from "../quantity.ts";
import { cidrContains } from "../cidr.ts";
import { isOrdered, isVersion, parsePackageValue } from "./package-words.ts";
import type { Comparison, Target, TargetTest } from "./target-expression.ts";
import { targetWords, type TargetWord } from "./target-words.ts";

/** A device as targets see it; null and undefined are not known. */
export type TargetView = {
  /** The device itself evaluates: names that it does not find may be others of its own. */
  readonly isPartial?: true;
  readonly id: string;
  /** Host name, and other names of the device. */
  readonly names: readonly string[];
  readonly tags: readonly string[];
  readonly subnet: { readonly id: string; readonly cidr: string; readonly name: string | null } | null;
  readonly site: string | null;
  /** As the device states it: "Windows_NT 10.0.22631". */
  readonly os: string;
  readonly arch: string;
  readonly agentVersion: string;
  readonly deviceClass?: string | undefined;
  readonly medium?: string | undefined;
  readonly onBattery?: boolean | undefined;
  readonly memoryBytes?: number | undefined;
  readonly diskFreeBytes?: number | undefined;
  readonly cacheBytes?: number | undefined;
  /** Returns the result of a task on the device; null: no task has this number. */
  readonly resultIn: (taskId: number) => "failed" | "complete" | "none" | null;
  /** Returns the versions of a package (`foldedName`) that the device has, or holds. */
  readonly versionsOf: (packageName: string, how: "has" | "holds") => readonly string[] | null;
};

/** Null: not known. */
export type Truth = boolean | null;
type Evaluation = (view: TargetView) => Truth;

const not = (truth: Truth): Truth => (truth === null ? null : !truth);

/** Returns true for the first part that is true, and null when one is not known. */
function any(parts: readonly Evaluation[], view: TargetView): Truth {
  let found: Truth = false;
  for (const part of parts) {
    const truth = part(view);
    if (truth === true) return true;
    if (truth === null) found = null;
  }
  return found;
}

/** Returns false for the first part that is false, and null when one is not known. */
function every(parts: readonly Evaluation[], view: TargetView): Truth {
  let found: Truth = true;
  for (const part of parts) {
    const truth = part(view);
    if (truth === false) return false;
    if (truth === null) found = null;
  }
  return found;
}

/** Returns the function that decides whether a device is targeted. */
export function matcherOf(target: Target): (view: TargetView) => boolean {
  const evaluation = evaluationOf(target);
  return (view) => evaluation(view) === true;
}

/** Returns whether a device is targeted; null: the view does not tell. */
export const truthOf = (target: Target, view: TargetView): Truth => evaluationOf(target)(view);

/** A name that a view does not have: in a partial one it may be there all the same. */
const missing = ({ isPartial }: TargetView): Truth => (isPartial ? null : false);

const deviceIdPattern = /^[0-9a-f]{16}$/;

function evaluationOf(target: Target): Evaluation {
  switch (target.kind) {
    case "all":
      return () => true;
    case "names": {
      const wanted = new Set(target.names.map(foldedName));
      const areIds = [...wanted].every((name) => deviceIdPattern.test(name));
      return (view) => {
        if (wanted.has(view.id) || view.names.some((name) => wanted.has(foldedName(name)))) return true;
        return areIds ? false : missing(view);
      };
    }
    case "not": {
      const part = evaluationOf(target.part);
      return (view) => not(part(view));
    }
    case "and": {
      const parts = target.parts.map(evaluationOf);
      return (view) => every(parts, view);
    }
    case "or": {
      const parts = target.parts.map(evaluationOf);
      return (view) => any(parts, view);
    }
    case "test":
      return testOf(target);
  }
}

function testOf({ word, operator, values }: TargetTest): Evaluation {
  const comparison = operator === "in" || operator === "not in" || operator === "!=" ? "=" : operator;
  const tests = values.map((value) => valueTest(word, comparison, value));
  const isNegated = operator === "!=" || operator === "not in";
  return (view) => {
    const truth = any(tests, view);
    return isNegated ? not(truth) : truth;
  };
}

function valueTest(word: TargetWord, operator: Comparison, value: string): Evaluation {
  switch (targetWords[word].kind) {
    case "text":
    case "choice":
      return textTest(word, value);
    case "version": {
      const isWanted = remembered((version) => isVersion(version, operator, value));
      return (view) => {
        const version = word === "agent" ? view.agentVersion : osVersionOf(view.os);
        return version === null ? null : isWanted(version);
      };
    }
    case "size": {
      const bytes = parseSizeBytes(value);
      return (view) => {
        const found = sizeOf(word, view);
        return found === undefined ? null : isOrdered(found - bytes, operator);
      };
    }
    case "task":
      return ({ resultIn }) => {
        const result = resultIn(Number(value));
        return result === null ? null : result === (word === "failed-in" ? "failed" : "complete");
      };
    case "package":
      return packageTest(word, value);
    case "device":
      return ({ id }) => id === value;
    case "subnet":
      return subnetTest(value);
  }
}

function textTest(word: TargetWord, value: string): Evaluation {
  const wanted = foldedName(value);
  const matches = remembered(
    isPattern(wanted)
      ? (text) => matchesPattern(wanted, foldedName(text))
      : (text) => foldedName(text) === wanted,
  );
  if (word === "site" && wanted === noneName)
    return ({ site, subnet, isPartial }) => (subnet === null || isPartial ? null : site === null);
  return (view) => {
    const found = textsOf(word, view, wanted)?.some(matches) ?? null;
    return found === false && givenNames.has(word) ? missing(view) : found;
  };
}

/** Words whose values the source gives. */
const givenNames: ReadonlySet<TargetWord> = new Set(["name", "tag", "group", "site"]);

/** Returns the texts that a word names; null: not known. */
function textsOf(word: TargetWord, view: TargetView, wanted: string): readonly string[] | null {
  switch (word) {
    case "name":
      return view.names;
    case "tag":
    case "group":
      return view.tags;
    case "site":
      return view.site === null ? null : [view.site];
    case "os":
      return [view.os, ...(osFamilyOf(view.os) ?? [])];
    case "arch":
      return [view.arch];
    case "class":
      return known(view.deviceClass, wanted);
    case "medium":
      return known(view.medium, wanted);
    case "battery":
      return view.onBattery === undefined ? null : [view.onBattery ? "yes" : "no"];
    default:
      return null;
  }
}

/** A device that states "unknown" matches that word, and is unknown for every other one. */
const known = (stated: string | undefined, wanted: string): readonly string[] | null =>
  stated === undefined || (stated === "unknown" && wanted !== "unknown") ? null : [stated];

function osFamilyOf(os: string): readonly string[] | null {
  if (/^windows/i.test(os)) return ["windows"];
  if (/^(darwin|macos)/i.test(os)) return ["macos"];
  return /^linux/i.test(os) ? ["linux"] : null;
}

const osVersionOf = (os: string): string | null => /\s(\d\S*)/.exec(os)?.[1] ?? null;

function sizeOf(word: TargetWord, view: TargetView): number | undefined {
  if (word === "memory") return view.memoryBytes;
  return word === "disk-free" ? view.diskFreeBytes : view.cacheBytes;
}

function packageTest(word: TargetWord, value: string): Evaluation {
  const { name, version } = parsePackageValue(value)!;
  const folded = foldedName(name);
  const how = word === "holds" ? "holds" : "has";
  return ({ versionsOf }) => {
    const versions = versionsOf(folded, how);
    if (versions === null) return null;
    const found = versions.some((one) => version === null || isVersion(one, version.operator, version.text));
    return word === "lacks" ? !found : found;
  };
}

/** Upper bound on remembered networks of one test. */
const rememberedMax = 4_096;

/** Returns the same test, which remembers its results: many devices state equal texts. */
function remembered(test: (text: string) => boolean): (text: string) => boolean {
  const results = new Map<string, boolean>();
  return (text) => {
    const before = results.get(text);
    if (before !== undefined) return before;
    const found = test(text);
    if (results.size >= rememberedMax) results.clear();
    results.set(text, found);
    return found;
  };
}

function subnetTest(value: string): Evaluation {
  if (value.includes("/")) {
    const contains = remembered((cidr) => cidrContains(value, cidr));
    return ({ subnet }) => subnet && contains(subnet.cidr);
  }
  const wanted = foldedName(value);
  return (view) => {
    const { subnet } = view;
    if (subnet === null) return null;
    const names = [subnet.id, subnet.name ?? ""];
    return names.some((name) => matchesPattern(wanted, foldedName(name))) || missing(view);
  };
}
