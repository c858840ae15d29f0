/**
 * What a fuzz target is. A case that throws is a finding: no input may make the program do that.
 */
import type { SeededRandom } from "./seeded-random.ts";

export type Fuzzing = {
  /**
   * Runs one case and says in a word what came out; equal words are counted. Throws for a finding.
   */
  readonly run: (random: SeededRandom) => string | Promise<string>;
  readonly close?: () => void | Promise<void>;
};
export type Target = {
  readonly name: string;
  /** What gets the hostile input. */
  readonly about: string;
  /** Cases of this target in ten thousand. */
  readonly share: number;
  readonly open: () => Fuzzing | Promise<Fuzzing>;
};

/** What the program promises about every input; the message says which promise was broken. */
export function promise(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`broken promise: ${what}`);
}

/**
 * Runs `work`: its outcome, or the name of the error that it declares. Any other error passes, and
 * is a finding.
 */
export function declared(errors: readonly (new (...args: never[]) => Error)[], work: () => string): string {
  try {
    return work();
  } catch (error) {
    // Exactly one of these: a TypeError is an Error too, and nobody's intention.
    if (error instanceof Error && errors.some((kind) => error.constructor === kind))
      return error.constructor.name;
    throw error;
  }
}
