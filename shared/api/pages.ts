/** Reads all pages of a list, for callers that need every row. */
import type * as v from "valibot";
import { ask, type Connection } from "./request.ts";
import { pageRowsMax } from "./schema/page.ts";

type Paged = { readonly next: string | null };

/**
 * @param path of the list, with its filters
 * @param from cursor of the first page that is read; default: the beginning
 */
export async function allPages<S extends v.GenericSchema<unknown, Paged>, Row>(
  connection: Connection,
  path: string,
  schema: S,
  rowsOf: (answer: v.InferOutput<S>) => readonly Row[],
  { from, signal }: { readonly from?: string; readonly signal?: AbortSignal | undefined } = {},
): Promise<Row[]> {
  const rows: Row[] = [];
  const first = `${path}${path.includes("?") ? "&" : "?"}limit=${pageRowsMax}`;
  const after = (cursor: string): string => `${first}&after=${encodeURIComponent(cursor)}`;
  for (let page = from === undefined ? first : after(from); ;) {
    const answer = await ask(connection, "GET", page, schema, { signal });
    rows.push(...rowsOf(answer));
    if (answer.next === null) return rows;
    page = after(answer.next);
  }
}
