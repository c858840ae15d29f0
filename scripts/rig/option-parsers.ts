/** Parsers of option values that several scripts share. */
import { InvalidArgumentError } from "@commander-js/extra-typings";

/**
 * Returns the parser of an option whose value is a number from `min` to `max`.
 * @throws InvalidArgumentError (the parser) that states the bounds
 */
export const between =
  (min: number, max: number, whole = false) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() === "" || !(value >= min && value <= max) || (whole && !Number.isInteger(value))) {
      throw new InvalidArgumentError(`Write a ${whole ? "whole " : ""}number from ${min} to ${max}.`);
    }
    return value;
  };
