/**
 * Audit: rows about changes and refused attempts, chained by SHA-256. A row that was changed,
 * removed or put in breaks the chain at its place. Pure.
 *
 * The chain proves nothing against a person who can write the whole catalog: an exported head, kept
 * elsewhere, does.
 */
import { createHash } from "node:crypto";

/**
 * - `token`, `session`: a person or a program, by a token or a session
 * - `device`: a device
 * - `nobody`: a request without a known credential
 * - `source`: the source itself, such as a removal by age
 */
export const actorKinds = ["token", "session", "device", "nobody", "source"] as const;
export type ActorKind = (typeof actorKinds)[number];

export type AuditRow = {
  /** Counts the rows, from 1. */
  readonly sequence: number;
  readonly atMs: number;
  /** Name of the token or user, id of the device, or empty. */
  readonly actor: string;
  readonly kind: ActorKind;
  /** Address of the request; empty for the source itself. */
  readonly address: string;
  /** Method and path of the route, or the name of what the source did itself. */
  readonly action: string;
  readonly object: string;
  /** JSON of what the change replaced; null: nothing, or not recorded. */
  readonly before: string | null;
  /** JSON of what the change stored. */
  readonly after: string | null;
  /** `done`, or why the request was refused. */
  readonly result: string;
  /** Requests that the row stands for: repeated refusals are counted. */
  readonly count: number;
  /** Hash of the row before. */
  readonly previous: string;
  readonly hash: string;
};

/** The row before a chain: of the first row ever, or the last one that was removed by age. */
export type AuditBeginning = { readonly sequence: number; readonly hash: string };
export const auditOrigin: AuditBeginning = { sequence: 0, hash: "0".repeat(64) };

/** Marks the encoding, so that a later one gives other hashes. */
const encodingName = "flockcast audit row 1";

/** Returns the hash of a row, over a JSON array of its fields in a fixed order. */
export function auditHash(row: Omit<AuditRow, "hash">): string {
  const { sequence, atMs, actor, kind, address, action, object, before, after, result, count } = row;
  const about = [actor, kind, address, action, object, before, after, result, count];
  const fields = [encodingName, sequence, atMs, ...about, row.previous];
  return createHash("sha256").update(JSON.stringify(fields)).digest("hex");
}

/** Checks rows one after the other. */
export class AuditCheck {
  #last: AuditBeginning;

  constructor(beginning: AuditBeginning) {
    this.#last = beginning;
  }

  /** The last row that was in order. */
  get head(): AuditBeginning {
    return this.#last;
  }

  /** Returns what is wrong with the next row; null if it continues the chain. */
  next(row: AuditRow): string | null {
    const expected = this.#last.sequence + 1;
    if (row.sequence !== expected)
      return `row ${row.sequence} follows row ${this.#last.sequence}: rows were removed or put in`;
    if (row.previous !== this.#last.hash)
      return `row ${row.sequence} does not name the hash of the row before: that row was changed`;
    if (auditHash(row) !== row.hash) return `row ${row.sequence} was changed`;
    this.#last = { sequence: row.sequence, hash: row.hash };
    return null;
  }
}
