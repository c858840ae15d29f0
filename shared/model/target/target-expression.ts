/**
 * A target as a tree, and the error of a text that is none. parse-target.ts makes the tree,
 * print-target.ts writes it, match-target.ts evaluates it.
 */
import type { TargetWord } from "./target-words.ts";

export const comparisons = ["=", "!=", "<", "<=", ">", ">="] as const;
export type Comparison = (typeof comparisons)[number];

/** A list has an operator of its own; the others have one value. */
export type TargetTest = {
  readonly kind: "test";
  readonly word: TargetWord;
  readonly operator: Comparison | "in" | "not in";
  /** As written, in NFC; checked against the kind of the word. */
  readonly values: readonly string[];
};
export type Target =
  | { readonly kind: "all" }
  /** Names or ids of devices, as the whole text: `pc-1,pc-2`. */
  | { readonly kind: "names"; readonly names: readonly string[] }
  | TargetTest
  | { readonly kind: "and" | "or"; readonly parts: readonly Target[] }
  | { readonly kind: "not"; readonly part: Target };

export const targetLengthMax = 2_048;
/** Upper bound on nested brackets and `not`. */
export const targetDepthMax = 32;

/** Local error: the text is not a target. `column` counts characters from 1. */
export class TargetError extends Error {
  override readonly name = "TargetError";
  readonly column: number;

  constructor(message: string, column: number) {
    super(message);
    this.column = column;
  }
}
