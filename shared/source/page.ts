/** Pages of lists: cursors, and the search for the rows that a filter accepts. */
import * as v from "valibot";
import type { PageQuery } from "../api/schema/page.ts";
import { ApiError } from "./api-error.ts";

/** Rows that one request compares with a filter at most, where SQL alone does not decide. */
const comparedMax = 5_000;
const batchRows = 500;

export type Page<Row> = { readonly rows: Row[]; readonly next: string | null };

/** Returns the text of a key, for the request of the next page. */
export const cursorOf = (key: unknown): string => Buffer.from(JSON.stringify(key)).toString("base64url");

/** Returns the key of a cursor; null for the first page. @throws ApiError 400 for another text */
export function keyIn<T>({ after }: Pick<PageQuery, "after">, schema: v.GenericSchema<unknown, T>): T | null {
  if (after === undefined) return null;
  try {
    return v.parse(schema, JSON.parse(Buffer.from(after, "base64url").toString()));
  } catch {
    throw new ApiError(400, "This cursor is not of this list", "leave out after for the first page");
  }
}

type PageReader<Row, Key> = {
  readonly query: Pick<PageQuery, "limit">;
  readonly after: Key | null;
  /** Returns the rows after a key, in the order of the list. */
  readonly read: (after: Key | null, limit: number) => Promise<readonly Row[]>;
  readonly keyOf: (row: Row) => Key;
  /** Filter that `read` does not have; null: none. */
  readonly accepts?: ((row: Row) => boolean) | null;
};

/** Reads one page. A filter that accepts few rows ends it early, so that its cost has a bound. */
export async function readPage<Row, Key>(reader: PageReader<Row, Key>): Promise<Page<Row>> {
  const { query, read, keyOf, accepts = null } = reader;
  const limit = Number(query.limit);
  const wanted = accepts === null ? limit + 1 : batchRows;
  const rows: Row[] = [];
  let after = reader.after;
  for (let compared = 0; ;) {
    const batch = await read(after, wanted);
    for (const [index, row] of batch.entries()) {
      after = keyOf(row);
      if (accepts !== null && !accepts(row)) continue;
      rows.push(row);
      if (rows.length < limit) continue;
      const isLast = index === batch.length - 1 && batch.length < wanted;
      return { rows, next: isLast ? null : cursorOf(after) };
    }
    compared += batch.length;
    if (batch.length < wanted) return { rows, next: null };
    if (compared >= comparedMax) return { rows, next: cursorOf(after) };
  }
}

/** Cuts one page out of rows that are in memory anyway, such as the settings. */
export function pageOf<Row>(query: PageQuery, rows: readonly Row[], keyOf: (row: Row) => string): Page<Row> {
  const last = keyIn(query, v.string());
  const from = last === null ? 0 : rows.findIndex((row) => keyOf(row) === last) + 1;
  const limit = Number(query.limit);
  const page = rows.slice(from, from + limit);
  return { rows: page, next: from + limit < rows.length ? cursorOf(keyOf(page.at(-1)!)) : null };
}
