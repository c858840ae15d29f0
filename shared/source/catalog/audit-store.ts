/**
 * Interface of the store of audit rows. Rows of changes are appended by the catalog itself
 * (audited-catalog.ts), in the transaction of the change; this interface reads, and adds the rest.
 */
import type { AuditBeginning, AuditRow } from "../../model/audit.ts";

/** Text filters compare without case; null: any. */
export type AuditFilter = {
  readonly sinceMs: number | null;
  /** Rows before this one; null: from the newest. */
  readonly before: number | null;
  /** The whole name. */
  readonly actor: string | null;
  /** A part of the action, such as `tasks` or `DELETE`. */
  readonly action: string | null;
  /** The whole object, such as `task 5`. */
  readonly object: string | null;
  readonly limit: number;
};
export type AuditNote = {
  /** Name of the action where the source acts itself. */
  readonly method?: string;
  readonly object: string;
  readonly after?: unknown;
  /** Default: done. */
  readonly result?: string;
  /** Default: 1. */
  readonly count?: number;
};

export interface AuditStore {
  /** Calls the listener with the object of every row that is appended from now on. */
  onAppend(listener: (object: string) => void): void;
  /** Appends a row that goes with no change of the catalog, for the act that runs. */
  note(note: AuditNote): Promise<void>;
  /** Returns rows, the newest first. */
  list(filter: AuditFilter): Promise<AuditRow[]>;
  /** Returns the rows after this one, the oldest first. */
  after(sequence: number, limit: number): Promise<AuditRow[]>;
  /** Returns what is before the first row. */
  beginning(): Promise<AuditBeginning>;
  /** Returns the newest row; before the first one, what is before it. */
  head(): Promise<AuditBeginning>;
  /**
   * Removes the oldest rows, and keeps the hash of the last of them as the new beginning.
   * @returns the number of rows
   */
  removeBefore(atMs: number): Promise<number>;
}
