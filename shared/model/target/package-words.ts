/** Values of the words `has`, `lacks` and `holds`: NAME, NAME@VERSION or NAME@>=VERSION. Pure. */
import { compareVersionParts } from "../version-order.ts";
import type { Comparison } from "./target-expression.ts";

type PackageValue = {
  readonly name: string;
  /** Null: any version. */
  readonly version: { readonly operator: Comparison; readonly text: string } | null;
};

/** Returns null for another form. */
export function parsePackageValue(text: string): PackageValue | null {
  const found = /^([^@]+)(?:@(<=|>=|!=|<|>|=)?([^<>=!]+))?$/.exec(text);
  if (found === null) return null;
  const [, name, operator, version] = found;
  return {
    name: name!,
    version: version === undefined ? null : { operator: (operator ?? "=") as Comparison, text: version },
  };
}

/** Compares versions by their numbers and words, so that 1.0 equals 1.0.0. */
export function isVersion(version: string, operator: Comparison, other: string): boolean {
  return isOrdered(compareVersionParts(version, other), operator);
}

/** @param order below, equal to or above 0 */
export function isOrdered(order: number, operator: Comparison): boolean {
  switch (operator) {
    case "=":
      return order === 0;
    case "!=":
      return order !== 0;
    case "<":
      return order < 0;
    case "<=":
      return order <= 0;
    case ">":
      return order > 0;
    case ">=":
      return order >= 0;
  }
}
