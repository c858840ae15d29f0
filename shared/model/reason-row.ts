/**
 * A row of the table of reasons: the schema of the parameters, a function from parameters to words
 * in English, and the form in which the words follow those of the reason before it.
 */
import * as v from "valibot";
import type { Quantities } from "./quantities.ts";

/** `cause`: explains the reason before it, and is shown in brackets. `detail`: continues it. */
export type Form = "sentence" | "cause" | "detail";
type Text<E extends v.ObjectEntries> = (
  parameters: v.InferOutput<v.ObjectSchema<E, undefined>>,
  quantities: Quantities,
) => string;
export type ReasonRow<E extends v.ObjectEntries> = {
  readonly schema: v.ObjectSchema<E, undefined>;
  readonly text: Text<E>;
  readonly form: Form;
};
export const row = <const E extends v.ObjectEntries>(
  entries: E,
  text: Text<E>,
  form: Form = "sentence",
): ReasonRow<E> => ({ schema: v.object(entries), text, form });
/** A row whose words have no parameter. */
export const words = (text: string, form: Form = "sentence") => row({}, () => text, form);
