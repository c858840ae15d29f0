/**
 * Signed statements in the ledger of a device: the chain of trust files, the newest
 * settings, and the sequence of each order that it has obeyed.
 */
import * as v from "valibot";
import {
  readOrder,
  signedSchema,
  TrustError,
  trustTimeMs,
  type OrderKind,
  type Signed,
} from "../model/trust/index.ts";

/** Sequences that stay; those of the tasks that expire first are forgotten. */
export const keptOrdersMax = 4_096;
/** Orders of settings that stay: more than a source has. */
export const keptSettingsMax = 512;
/** Sequences of further settings that stay. */
export const passedSettingsMax = 4_096;

const sequence = v.pipe(v.number(), v.integer(), v.minValue(0));
const trustRecordSchema = v.object({
  files: v.array(signedSchema),
  freshness: v.nullable(signedSchema),
  assignments: v.nullable(signedSchema),
  /** By name. */
  settings: v.record(v.string(), signedSchema),
  /** Sequences of settings whose orders did not stay, by name. */
  passed: v.optional(v.record(v.string(), sequence), {}),
  /** By the id of the task. */
  orders: v.record(
    v.string(),
    v.object({ sequence, expiresAtMs: trustTimeMs, digest: v.optional(v.string(), "") }),
  ),
});
type KnownOrder = {
  readonly sequence: number;
  /** End of the order of this task that ends last: an older one may be sent again until then. */
  readonly expiresAtMs: number;
  /** `payloadDigest` */
  readonly digest: string;
};
export type TrustRecord = {
  files: readonly Signed[];
  freshness: Signed | null;
  assignments: Signed | null;
  settings: Record<string, Signed>;
  passed: Record<string, number>;
  orders: Record<string, KnownOrder>;
};

export const emptyTrust = (): TrustRecord => ({
  files: [],
  freshness: null,
  assignments: null,
  settings: {},
  passed: {},
  orders: {},
});

/**
 * Returns the record of a ledger; an empty one if there is none that this version can read. Leaves
 * out orders that only a later version can read: this one came back after a failed upgrade.
 */
export function readTrust(stored: unknown): TrustRecord {
  const parsed = v.safeParse(trustRecordSchema, stored);
  if (!parsed.success) return emptyTrust();
  const record = parsed.output;
  const { freshness, assignments } = record;
  const settings = Object.entries(record.settings).filter(([, signed]) => isReadable("setting", signed));
  return {
    ...record,
    freshness: isReadable("freshness", freshness) ? freshness : null,
    assignments: isReadable("assignments", assignments) ? assignments : null,
    settings: Object.fromEntries(settings),
  };
}

function isReadable(kind: OrderKind, signed: Signed | null): boolean {
  try {
    return signed !== null && readOrder(kind, signed) !== null;
  } catch (error) {
    if (error instanceof TrustError) return false;
    throw error;
  }
}

/** Returns the sequence below which an order of a setting is an older one; 0: none is known. */
export function settingFloor({ settings, passed }: TrustRecord, name: string): number {
  const known = Object.hasOwn(settings, name) ? readOrder("setting", settings[name]!).sequence : 0;
  return Math.max(known, Object.hasOwn(passed, name) ? passed[name]! : 0);
}

/** Notes the order of a setting. Of the least recently used ones, only the sequence stays. */
export function noteSetting(record: TrustRecord, name: string, signed: Signed): void {
  const { settings, passed } = record;
  // The name at the end of the object is that of the setting used last.
  delete settings[name];
  settings[name] = signed;
  const names = Object.keys(settings);
  for (const old of names.slice(0, Math.max(0, names.length - keptSettingsMax))) {
    passed[old] = settingFloor(record, old);
    delete settings[old];
  }
  record.passed = highest(passed, passedSettingsMax, (one) => one);
}

/** Notes an order that the device obeys. */
export function noteOrder(record: TrustRecord, taskId: number, order: KnownOrder): void {
  const { sequence: number, digest } = order;
  const expiresAtMs = Math.max(order.expiresAtMs, record.orders[taskId]?.expiresAtMs ?? 0);
  record.orders[taskId] = { sequence: number, expiresAtMs, digest };
  record.orders = highest(record.orders, keptOrdersMax, (one) => one.expiresAtMs);
}

/** Returns the entries of the highest values, `max` at most. */
function highest<T>(all: Record<string, T>, max: number, valueOf: (one: T) => number): Record<string, T> {
  const entries = Object.entries(all);
  if (entries.length <= max) return all;
  return Object.fromEntries(entries.toSorted(([, a], [, b]) => valueOf(b) - valueOf(a)).slice(0, max));
}
