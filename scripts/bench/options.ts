/** Parsers of the benchmarks' option values. Each throws InvalidArgumentError with the bounds. */
import { InvalidArgumentError } from "@commander-js/extra-typings";
import { parseSizeBytes } from "../../shared/model/quantity.ts";
import { between } from "../rig/option-parsers.ts";

/** Parses a list of numbers within bounds, as "0,1,5". */
export const numbersBetween =
  (min: number, max: number, whole = false) =>
  (text: string): number[] =>
    text.split(",").map(between(min, max, whole));

/**
 * Parses names of a given list, as "a,b", and returns them in its order. "none" is an empty list.
 */
export const namesOf =
  <T extends string>(known: readonly T[]) =>
  (text: string): T[] => {
    const names = text === "none" ? [] : text.split(",");
    const unknown = names.find((name) => !known.some((one) => one === name));
    if (unknown !== undefined)
      throw new InvalidArgumentError(`"${unknown}" is not one of ${known.join(", ")}.`);
    return known.filter((name) => names.includes(name));
  };

/** Parses a size, as "208KiB". */
export function sizeBytes(text: string): number {
  try {
    return parseSizeBytes(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}
