/** Writes a target as text that parses to an equal one. Pure. */
import type { Target, TargetTest } from "./target-expression.ts";

export function printTarget(target: Target): string {
  switch (target.kind) {
    case "all":
      return "all";
    case "names":
      return target.names.join(",");
    case "test":
      return printTest(target);
    case "not":
      return `not ${printPart(target.part)}`;
    case "and":
    case "or":
      return target.parts.map(printPart).join(` ${target.kind} `);
  }
}

const printPart = (part: Target): string =>
  part.kind === "and" || part.kind === "or" ? `(${printTarget(part)})` : printTarget(part);

function printTest({ word, operator, values }: TargetTest): string {
  const written = values.map(printValue);
  return operator === "in" || operator === "not in"
    ? `${word} ${operator} (${written.join(", ")})`
    : `${word}${operator}${written[0]}`;
}

/** A value in quotes is taken as it is, so its quotes and backslashes are escaped. */
const printValue = (value: string): string =>
  /^[^\s(),"=<>!][^\s(),"]*$/u.test(value) ? value : `"${value.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
