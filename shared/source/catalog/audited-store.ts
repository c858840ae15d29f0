/**
 * Wrapper of a store of the SQLite catalog: every method that its table names appends an audit row
 * in the transaction of the change. A change without its row cannot be committed, and a row
 * without its change cannot either.
 */
import { peek } from "bun";
import type { Database } from "bun:sqlite";
import { assert } from "../../model/assert.ts";
import type { AuditEntry } from "./sqlite-audit.ts";

type Method = (...words: never[]) => Promise<unknown>;
/** Description of a change for the audit, from the arguments and the result of the method. */
export type Described<M> = M extends (...words: infer W) => Promise<infer R>
  ? {
      readonly object: (words: W, result: R) => string;
      /** State that the change concerns, read before and after it. */
      readonly state?: (words: W) => unknown;
      /** Returns what was stored, where no state tells it. */
      readonly after?: (words: W, result: R) => unknown;
    }
  : never;
/** `unaudited`: a method that reads, or that stores what devices report. */
export type AuditTable<S> = { readonly [K in keyof S]: Described<S[K]> | "unaudited" };

export type Trail = {
  readonly database: Database;
  readonly append: (entry: AuditEntry) => void;
  /** Called when a change that a store has made is taken back, because its row failed. */
  readonly onRollback: () => void;
};

/** Returns the value of a method of SQLite, which does all its work before it returns. */
export function settled<T>(promise: Promise<T>): T {
  assert(peek.status(promise) !== "pending", "a store of SQLite waits within a transaction");
  const value = peek(promise);
  if (peek.status(promise) === "rejected") {
    promise.catch(() => {});
    throw value as unknown as Error;
  }
  return value as T;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Leaves out the fields that are equal before and after. */
function differences(before: unknown, after: unknown): { before: unknown; after: unknown } {
  if (!isObject(before) || !isObject(after)) return { before, after };
  const changed = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]),
  );
  const only = (of: Record<string, unknown>): Record<string, unknown> =>
    Object.fromEntries(changed.filter((key) => of[key] !== undefined).map((key) => [key, of[key]]));
  return { before: only(before), after: only(after) };
}

/** @param name of the store, for changes that the source makes itself */
export function audited<S extends object>(trail: Trail, name: string, store: S, table: AuditTable<S>): S {
  const { database, append, onRollback } = trail;
  const total = database.query<{ changes: number }, []>("SELECT total_changes() AS changes");
  const wrapped = Object.entries(table).map(([key, described]) => {
    const method = (store as Record<string, Method>)[key]!;
    if (described === "unaudited") return [key, method] as const;
    const { object, state, after } = described as unknown as Described<
      (...words: unknown[]) => Promise<unknown>
    >;
    const change = database.transaction((words: never[]) => {
      const before = state && state(words);
      const startedAt = total.get()!.changes;
      const result = settled(method(...words));
      if (total.get()!.changes === startedAt) return result;
      const stored = after ? after(words, result) : state && state(words);
      const entry = { method: `${name}.${key}`, object: object(words, result) };
      append({ ...entry, ...differences(before, stored) });
      return result;
    });
    const run = async (...words: never[]): Promise<unknown> => {
      try {
        return change.immediate(words);
      } catch (error) {
        onRollback();
        throw error;
      }
    };
    return [key, run] as const;
  });
  return Object.fromEntries(wrapped) as S;
}
