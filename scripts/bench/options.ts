/** Values of the benchmarks' options, checked. */
import { InvalidArgumentError } from "@commander-js/extra-typings";
import { parseSizeBytes } from "../../shared/model/quantity.ts";
import { between } from "../rig/option-parsers.ts";

/** "0,1,5": numbers within bounds. */
export const numbersBetween =
  (min: number, max: number, whole = false) =>
  (text: string): number[] =>
    text.split(",").map(between(min, max, whole));

/** "a,b": names of a given list, in the order of that list; "none" is none of them. */
export const namesOf =
  <T extends string>(known: readonly T[]) =>
  (text: string): T[] => {
    const names = text === "none" ? [] : text.split(",");
    const unknown = names.find((name) => !known.some((one) => one === name));
    if (unknown !== undefined) throw new InvalidArgumentError(`"${unknown}" is none of ${known.join(", ")}.`);
    return known.filter((name) => names.includes(name));
  };

/** "208KiB". */
export function sizeBytes(text: string): number {
  try {
    return parseSizeBytes(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}
