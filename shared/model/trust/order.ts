/**
 * Orders: what devices obey. A task, a setting, and the assignment of settings are orders of
 * operator keys; freshness is their word that nothing newer was kept back.
 *
 * An order states the whole subject, never a difference. Its sequence is the signer's clock in
 * milliseconds, or one more than the last sequence, so it rises across a restore of the source.
 */
import * as v from "valibot";
import { imageOrderSchema } from "../image-order.ts";
import { settingDifferencesSchema } from "../setting.ts";
import { readPayload, type Signed, type SignedKind } from "./statement.ts";
import { trustTimeMs, type OperatorAction } from "./trust-content.ts";

const whole = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER));
const text = (max: number) => v.pipe(v.string(), v.maxLength(max));
const target = text(2_048);
/** Names that an object cannot have as a field of its own when it is read from JSON. */
const notFields = new Set(["__proto__", "prototype", "constructor"]);
const settingName = v.pipe(
  text(64),
  v.check((name) => !notFields.has(name), "not a name of a setting"),
);

const common = {
  format: v.literal(1),
  deployment: whole,
  /** Rises with each order of the deployment. */
  sequence: whole,
  /** Clock of the signer. */
  issuedAtMs: trustTimeMs,
};

/** A task, with all that decides what a device does. `AgentTask` has the meaning of the fields. */
export const taskOrderSchema = v.object({
  ...common,
  taskId: whole,
  epoch: text(16),
  createdAtMs: trustTimeMs,
  packageId: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  packageName: text(128),
  packageVersion: text(64),
  action: v.picklist(["pre-cache", "run", "upgrade", "image"]),
  command: v.nullable(text(8_192)),
  run: v.nullable(text(32)),
  allowDowngrade: v.boolean(),
  after: v.nullable(whole),
  afterEpoch: text(16),
  notWhile: v.pipe(v.array(text(255)), v.maxLength(32)),
  /** Null or missing: another action. */
  image: v.optional(v.nullable(imageOrderSchema)),
  setting: v.nullable(text(64)),
  target,
  startAtMs: trustTimeMs,
  startIsLocal: v.boolean(),
  deadlineAtMs: v.nullable(trustTimeMs),
  expiresAtMs: trustTimeMs,
  /** Attempts that a device may make: each further one only after a failed one. */
  attempts: whole,
});
/** One setting: its differences to its parent. */
export const settingOrderSchema = v.object({
  ...common,
  name: settingName,
  version: whole,
  parent: v.nullable(text(64)),
  // A device drops a field of a later version, as it does with the values of an answer.
  differences: v.object(settingDifferencesSchema.entries),
});
/** All assignments of settings to devices, in the order of precedence. */
export const assignmentsOrderSchema = v.object({
  ...common,
  assignments: v.pipe(v.array(v.object({ setting: text(64), target })), v.maxLength(500)),
});
export const freshnessSchema = v.object({
  ...common,
  trustVersion: whole,
  /** From this time on devices say that they have no fresh word. */
  expiresAtMs: trustTimeMs,
});
export type TaskOrder = v.InferOutput<typeof taskOrderSchema>;
export type SettingOrder = v.InferOutput<typeof settingOrderSchema>;
export type AssignmentsOrder = v.InferOutput<typeof assignmentsOrderSchema>;
export type Freshness = v.InferOutput<typeof freshnessSchema>;

export type OrderKind = Exclude<SignedKind, "trust">;
export type Orders = {
  task: TaskOrder;
  setting: SettingOrder;
  assignments: AssignmentsOrder;
  freshness: Freshness;
};
export type Order = Orders[OrderKind];

const schemas = {
  task: taskOrderSchema,
  setting: settingOrderSchema,
  assignments: assignmentsOrderSchema,
  freshness: freshnessSchema,
} as const;

/**
 * Parses the text of an order; proves nothing.
 * @throws TrustError `malformed`
 */
export const readOrder = <K extends OrderKind>(kind: K, signed: Signed): Orders[K] =>
  readPayload(schemas[kind], signed) as Orders[K];

/** Returns what a key has to be allowed for this order; null: any operator key may sign it. */
export function actionOf(kind: OrderKind, order: Order): OperatorAction | null {
  if (kind === "task") return (order as TaskOrder).action;
  return kind === "freshness" ? null : "settings";
}

/** Returns a sequence above the last one that does not lie behind the clock. */
export const nextSequence = (last: number, nowMs: number): number => Math.max(last + 1, nowMs);

/** Time for which a statement of freshness is valid by default: 14 days. */
export const freshnessValidityMs = 14 * 86_400_000;

/** Longest validity that devices accept. */
export const freshnessValidityMaxMs = 92 * 86_400_000;
/** Time by which the clock of a signer may be ahead. */
export const signerAheadMs = 86_400_000;

/** Fields of an order that its signer chooses. */
type SignerFields = "sequence" | "issuedAtMs" | "format";
export type OrderContent<K extends OrderKind> = Omit<Orders[K], SignerFields>;

/**
 * Whether a text has the fields that were read from it and no others: a field that only a later
 * version reads must not be signed unseen.
 */
export const hasOnlyKnownFields = ({ payload }: Signed, read: object): boolean =>
  canonical(JSON.parse(payload)) === canonical(read);

/** Whether an order states what is wanted, whatever its sequence and time. */
export function hasContent<K extends OrderKind>(order: Orders[K], content: OrderContent<K>): boolean {
  return differencesOf(order, content).length === 0;
}

/** Returns the names of the fields in which an order differs from what is wanted. */
export function differencesOf<K extends OrderKind>(
  order: Orders[K],
  wanted: Partial<OrderContent<K>>,
): string[] {
  const given = order as unknown as Record<string, unknown>;
  return Object.entries(wanted)
    .filter(([field, value]) => canonical(given[field]) !== canonical(value))
    .map(([field]) => field);
}

/** Returns JSON in which the order of fields does not matter. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const entries = Object.entries(value)
    .filter(([, each]) => each !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([name, each]) => `${JSON.stringify(name)}:${canonical(each)}`).join(",")}}`;
}
