/**
 * Interface of a fuzz target, and the checks that its cases use. A case that throws is a finding.
 */
import type { SeededRandom } from "./seeded-random.ts";

export type Fuzzing = {
  /**
   * Runs one case and returns its outcome as a short text; equal outcomes are counted.
   * @throws Error for a finding
   */
  readonly run: (random: SeededRandom) => string | Promise<string>;
  readonly close?: () => void | Promise<void>;
};
export type Target = {
  readonly name: string;
  /** Decoders that get the hostile input. */
  readonly about: string;
  /** Cases of this target in ten thousand cases of all targets. */
  readonly share: number;
  readonly open: () => Fuzzing | Promise<Fuzzing>;
};

/** Asserts a promise that holds for every input. @throws Error with the broken promise */
export function promise(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`broken promise: ${what}`);
}

/**
 * Runs `work` and returns its outcome, or the name of a declared error. Any other error is thrown
 * on, and is a finding.
 */
export function declared(errors: readonly (new (...args: never[]) => Error)[], work: () => string): string {
  try {
    return work();
  } catch (error) {
    // Exactly one of these classes: a TypeError extends Error, but is never declared.
    if (error instanceof Error && errors.some((kind) => error.constructor === kind))
      return error.constructor.name;
    throw error;
  }
}
