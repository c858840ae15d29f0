/**
 * Reasons: why a task of a device is in its state. A reason is a code with parameters on the wire,
 * in the ledger and in the API. The words of reason-table.ts are made where a reason is shown.
 */
import * as v from "valibot";
import { plainQuantities, type Quantities } from "./quantities.ts";
import type { Form, ReasonRow } from "./reason-row.ts";
import { reasonTable } from "./reason-table.ts";

const codePattern = /^[a-z][a-z0-9-]{0,47}$/;
/** Upper bounds on the parts of a report: reasons, parameters of one, and characters of a text. */
const reasonsMax = 8;
const parametersMax = 16;
export const reasonTextMax = 1_024;

const parameterSchema = v.union([
  v.pipe(v.number(), v.finite()),
  v.pipe(v.string(), v.maxLength(reasonTextMax)),
  v.boolean(),
  v.null(),
]);
/** A reason of any version of the program: another version may have other codes. */
export const reasonSchema = v.pipe(
  v.objectWithRest(
    { code: v.pipe(v.string(), v.regex(codePattern, "a code has a-z 0-9 -")) },
    parameterSchema,
  ),
  v.check((one) => Object.keys(one).length <= parametersMax, `at most ${parametersMax} parameters`),
);
export const reasonsSchema = v.pipe(v.array(reasonSchema), v.maxLength(reasonsMax));
export type Reason = v.InferOutput<typeof reasonSchema>;
export type Reasons = readonly Reason[];

export type ReasonCode = keyof typeof reasonTable;
type Parameters<C extends ReasonCode> = v.InferOutput<(typeof reasonTable)[C]["schema"]>;

/** The words of every reason in one language. */
export type ReasonTexts = {
  readonly [C in ReasonCode]: (parameters: Parameters<C>, quantities: Quantities) => string;
};
/** Language in which reasons are shown. */
export type ReasonLanguage = { readonly texts: ReasonTexts; readonly quantities: Quantities };

/** The words of reason-table.ts. */
export const englishTexts = Object.fromEntries(
  Object.entries(reasonTable).map(([code, { text }]) => [code, text]),
) as unknown as ReasonTexts;
const plainEnglish: ReasonLanguage = { texts: englishTexts, quantities: plainQuantities };

/** Returns a reason of this program. Texts are cut to the bound of the API. */
export function reason<C extends ReasonCode>(
  code: C,
  ...[parameters]: keyof Parameters<C> extends never ? [] : [Parameters<C>]
): Reason {
  const given: Record<string, unknown> = parameters ?? {};
  const entries = Object.entries(given).map(([name, value]) => [
    name,
    typeof value === "string" ? value.slice(0, reasonTextMax) : value,
  ]);
  return { code, ...Object.fromEntries(entries) };
}

export const problemReason = (error: unknown): Reason =>
  reason("problem", { detail: error instanceof Error ? error.message : String(error) });

/** Returns the words of one reason; of an unknown one its code and parameters. */
export function reasonText(
  { code, ...parameters }: Reason,
  { texts, quantities }: ReasonLanguage = plainEnglish,
): string {
  if (Object.hasOwn(reasonTable, code)) {
    const { schema } = reasonTable[code as ReasonCode] as unknown as ReasonRow<v.ObjectEntries>;
    const parsed = v.safeParse(schema, parameters);
    // The schema of this code gives the parameters of this text.
    if (parsed.success) return texts[code as ReasonCode](parsed.output as never, quantities);
  }
  const list = Object.entries(parameters).map(([name, value]) => `${name} ${value}`);
  return list.length === 0 ? code : `${code} (${list.join(", ")})`;
}

const formOf = (code: string): Form =>
  Object.hasOwn(reasonTable, code) ? reasonTable[code as ReasonCode].form : "sentence";

/** Returns the codes that explain the delivery mode. */
export const causesOf = (reasons: Reasons): string[] =>
  reasons.map(({ code }) => code).filter((code) => formOf(code) === "cause");

/** Returns reasons as one sentence for a person; empty without any. */
export function reasonsText(reasons: Reasons, language: ReasonLanguage = plainEnglish): string {
  return reasons.reduce((sentence, next) => {
    const own = reasonText(next, language);
    if (sentence === "" || own === "") return sentence + own;
    const form = formOf(next.code);
    return form === "cause" ? `${sentence} (${own})` : `${sentence}${form === "detail" ? ": " : "; "}${own}`;
  }, "");
}
