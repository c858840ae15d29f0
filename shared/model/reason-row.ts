/**
 * A row of the table of reasons: the schema of the parameters, a function from parameters to words,
 * and the form in which the words follow those of the reason before it.
 */
import * as v from "valibot";

/** `cause`: explains the reason before it, and is shown in brackets. `detail`: continues it. */
export type Form = "sentence" | "cause" | "detail";
export type ReasonRow<E extends v.ObjectEntries> = {
  readonly schema: v.ObjectSchema<E, undefined>;
  readonly text: (parameters: v.InferOutput<v.ObjectSchema<E, undefined>>) => string;
  readonly form: Form;
};
export const row = <const E extends v.ObjectEntries>(
  entries: E,
  text: (parameters: v.InferOutput<v.ObjectSchema<E, undefined>>) => string,
  form: Form = "sentence",
): ReasonRow<E> => ({ schema: v.object(entries), text, form });
/** A row whose words have no parameter. */
export const words = (text: string, form: Form = "sentence") => row({}, () => text, form);
