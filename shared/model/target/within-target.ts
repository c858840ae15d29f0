/**
 * The check that a target names only devices of another one. Pure.
 *
 * The check looks at the texts and at no device, so it also holds for words that a device does not
 * know of itself, such as its tags. Targets that say the same in other words do not pass.
 */
import { foldedName } from "../glob.ts";
import { parseTarget } from "./parse-target.ts";
import { printTarget } from "./print-target.ts";
import { TargetError, type Target, type TargetTest } from "./target-expression.ts";

/** A test that lists the values of which a device has one, as words; undefined for another test. */
function listOf({ word, operator, values }: TargetTest): readonly string[] | undefined {
  if (operator !== "=" && operator !== "in") return undefined;
  return values.map((value) => `${word === "group" ? "tag" : word}=${foldedName(value)}`);
}

const isPartOf = (list: readonly string[], whole: readonly string[]): boolean =>
  list.every((one) => whole.includes(one));

function isWithin(target: Target, limit: Target): boolean {
  if (limit.kind === "all" || foldedName(printTarget(target)) === foldedName(printTarget(limit))) return true;
  if (limit.kind === "and") return limit.parts.every((part) => isWithin(target, part));
  if (target.kind === "or") return target.parts.every((part) => isWithin(part, limit));
  if (target.kind === "names" && limit.kind === "names")
    return isPartOf(target.names.map(foldedName), limit.names.map(foldedName));
  if (target.kind === "test" && limit.kind === "test") {
    const [list, whole] = [listOf(target), listOf(limit)];
    return list !== undefined && whole !== undefined && isPartOf(list, whole);
  }
  if (limit.kind === "or" && limit.parts.some((part) => isWithin(target, part))) return true;
  return target.kind === "and" && target.parts.some((part) => isWithin(part, limit));
}

/** Whether each device of the target is one of the limit. False for a text that is not a target. */
export function isWithinTarget(text: string, limit: string): boolean {
  try {
    return isWithin(parseTarget(text), parseTarget(limit));
  } catch (error) {
    if (error instanceof TargetError) return false;
    throw error;
  }
}
