/**
 * Pages of lists: each answer has at most `limit` rows, and `next` continues after the last one. A
 * list is read by key, so rows that are added or removed meanwhile shift no page.
 */
import * as v from "valibot";

/** Upper bound on the rows of one page. */
export const pageRowsMax = 1_000;
const cursorLengthMax = 2_048;

/** Parameters of a page in the query of a request. */
export const pageEntries = {
  /** `next` of the page before; without one, the first page. */
  after: v.optional(v.pipe(v.string(), v.maxLength(cursorLengthMax))),
  limit: v.optional(
    v.pipe(v.string(), v.regex(/^([1-9]\d{0,2}|1000)$/, `a limit is a number from 1 to ${pageRowsMax}`)),
    "100",
  ),
};
export const pageQuerySchema = v.object(pageEntries);
/** Continuation in the answer. A page with fewer rows than `limit` may have one too. */
export const nextEntries = { next: v.optional(v.nullable(v.string()), null) };

export type PageQuery = v.InferOutput<typeof pageQuerySchema>;
