import { InvalidArgumentError } from "@commander-js/extra-typings";

/** Parser of an option: a number within bounds. */
export const between =
  (min: number, max: number, whole = false) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() === "" || !(value >= min && value <= max) || (whole && !Number.isInteger(value))) {
      throw new InvalidArgumentError(`Write a ${whole ? "whole " : ""}number from ${min} to ${max}.`);
    }
    return value;
  };
