/**
 * Targets within a scope: the conjunction of a target with the tags of a scope, and the check that
 * a target has this form. Pure.
 *
 * The check looks at the text and at no device: a target within the scope matches no device outside
 * of it, whatever devices there are later.
 */
import { foldedName } from "../glob.ts";
import type { Scope } from "../role.ts";
import { parseTarget } from "./parse-target.ts";
import { printTarget } from "./print-target.ts";
import { TargetError, targetLengthMax, type Target, type TargetTest } from "./target-expression.ts";

const tagWords: ReadonlySet<string> = new Set(["tag", "group"]);

/** Returns the test of a scope, which has a tag. */
const scopeTest = (scope: Scope): TargetTest => ({
  kind: "test",
  word: "tag",
  ...(scope.length === 1 ? { operator: "=", values: scope } : { operator: "in", values: scope }),
});

/** Whether the target matches no device outside of the scope. False for another text. */
export function isWithinScope(text: string, scope: Scope): boolean {
  if (scope.length === 0) return true;
  const allowed = new Set(scope.map(foldedName));
  const isTestOfScope = (part: Target): boolean =>
    part.kind === "test" &&
    tagWords.has(part.word) &&
    (part.operator === "=" || part.operator === "in") &&
    part.values.every((value) => allowed.has(foldedName(value)));
  const isWithin = (part: Target): boolean => {
    if (part.kind === "and") return part.parts.some(isWithin);
    if (part.kind === "or") return part.parts.every(isWithin);
    return isTestOfScope(part);
  };
  try {
    return isWithin(parseTarget(text));
  } catch (error) {
    if (error instanceof TargetError) return false;
    throw error;
  }
}

/** Names of devices, which a target has as its whole text only, as tests. */
function expressionOf(target: Target): Target {
  if (target.kind !== "names") return target;
  const named: TargetTest = { kind: "test", word: "name", operator: "in", values: target.names };
  const ids = target.names.filter((name) => /^[0-9a-f]{16}$/.test(name));
  if (ids.length === 0) return named;
  return { kind: "or", parts: [named, { kind: "test", word: "device", operator: "in", values: ids }] };
}

/**
 * Returns the devices of the target that belong to the scope, as a target.
 * @throws TargetError for a target that is too long then, and for another text
 */
export function targetInScope(text: string, scope: Scope): string {
  if (isWithinScope(text, scope)) return text;
  const target = expressionOf(parseTarget(text));
  const test = scopeTest(scope);
  const limited = printTarget(target.kind === "all" ? test : { kind: "and", parts: [target, test] });
  if (limited.length <= targetLengthMax) return limited;
  throw new TargetError(
    `with the scope of your token the target has more than ${targetLengthMax} characters`,
    targetLengthMax + 1,
  );
}
