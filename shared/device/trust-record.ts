/**
 * Signed statements in the ledger of a device: the chain of trust files, the newest
 * settings, and the sequence of each order that it has obeyed.
 */
import * as v from "valibot";
import { signedSchema, trustTimeMs, type Signed } from "../model/trust/index.ts";

/** Sequences that stay; those of the tasks that expire first are forgotten. */
export const keptOrdersMax = 4_096;
/** Orders of settings that stay. */
export const keptSettingsMax = 256;

const sequence = v.pipe(v.number(), v.integer(), v.minValue(0));
const trustRecordSchema = v.object({
  files: v.array(signedSchema),
  freshness: v.nullable(signedSchema),
  assignments: v.nullable(signedSchema),
  /** By name. */
  settings: v.record(v.string(), signedSchema),
  /** By the id of the task. */
  orders: v.record(v.string(), v.object({ sequence, expiresAtMs: trustTimeMs })),
});
export type TrustRecord = {
  files: readonly Signed[];
  freshness: Signed | null;
  assignments: Signed | null;
  settings: Record<string, Signed>;
  orders: Record<string, { readonly sequence: number; readonly expiresAtMs: number }>;
};

export const emptyTrust = (): TrustRecord => ({
  files: [],
  freshness: null,
  assignments: null,
  settings: {},
  orders: {},
});

/** Returns the record of a ledger; an empty one if there is none that this version can read. */
export function readTrust(stored: unknown): TrustRecord {
  const parsed = v.safeParse(trustRecordSchema, stored);
  return parsed.success ? parsed.output : emptyTrust();
}

/** Notes the sequence of an order that the device obeys. */
export function noteOrder(
  record: TrustRecord,
  taskId: number,
  order: { readonly sequence: number; readonly expiresAtMs: number },
): void {
  record.orders[taskId] = { sequence: order.sequence, expiresAtMs: order.expiresAtMs };
  const entries = Object.entries(record.orders);
  if (entries.length <= keptOrdersMax) return;
  const byExpiry = entries.toSorted(([, a], [, b]) => b.expiresAtMs - a.expiresAtMs);
  record.orders = Object.fromEntries(byExpiry.slice(0, keptOrdersMax));
}
