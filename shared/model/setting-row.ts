/**
 * Row of the table of settings (setting.ts), and the parts that rows share: bounds of their values,
 * and the word `none` for a value that is missing.
 */
import * as v from "valibot";

export const durationMs = (minMs: number, maxMs: number) =>
  v.pipe(v.number(), v.integer(), v.minValue(minMs), v.maxValue(maxMs));
export const count = (min: number, max: number) =>
  v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max));

export const SECOND = 1_000;
export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

export const orNone =
  <T>(parse: (text: string) => T) =>
  (text: string): T | null =>
    text === "none" ? null : parse(text);
export const showNone =
  <T>(format: (value: T) => string) =>
  (value: T | null): string =>
    value === null ? "none" : format(value);
/** A setting in JSON (`field`, `schema`) and as a person writes it. */
export type SettingRow<F extends string, S extends v.GenericSchema> = {
  /** Name in JSON, with the unit at its end. */
  readonly field: F;
  readonly schema: S;
  readonly default: v.InferOutput<S>;
  /** @throws Error that quotes the text. */
  readonly parse: (text: string) => v.InferOutput<S>;
  readonly format: (value: v.InferOutput<S>) => string;
  /** Meaning, in one sentence for `setting show`. */
  readonly about: string;
};
/** `mayBeMissing`: an older source or ledger leaves the field out, and the default applies. */
export type Presence<M extends boolean> = { readonly mayBeMissing?: M };

export const setting = <const F extends string, S extends v.GenericSchema, M extends boolean = false>(
  row: SettingRow<F, S> & Presence<M>,
): SettingRow<F, S> & Presence<M> => row;
