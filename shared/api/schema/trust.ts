/**
 * Schemas of the HTTP bodies about trust, between the source and its administrators: versions of
 * the trust file, orders that records need, and freshness.
 */
import * as v from "valibot";
import { keyName, signedSchema, trustFileSchema } from "../../model/trust/index.ts";
import { counter, text } from "./common.ts";

export { keyName };

const recordKind = v.picklist(["task", "setting", "assignments"]);
const sequence = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER));
const subjectEntries = {
  kind: recordKind,
  /** Id of a task, name of a setting, or empty for the assignments. */
  subject: text(64),
};
export const trustViewSchema = v.object({
  /** SHA-256 of the present roots, hex. */
  root: v.string(),
  file: trustFileSchema,
  /** Every version, the oldest first. */
  files: v.array(signedSchema),
  /** Whether the source can sign. */
  canSign: v.boolean(),
  freshness: v.nullable(signedSchema),
  lastSequence: sequence,
  /** Records whose newest state no order states. */
  unsigned: counter,
});
/** In the embedded mode the source adds the signature of its root key. */
export const trustFilesBodySchema = v.object({
  files: v.pipe(v.array(signedSchema), v.minLength(1), v.maxLength(1_000)),
});
export const trustVersionSchema = v.object({ version: counter, root: v.string() });
export const neededQuerySchema = v.object({
  kind: v.optional(recordKind),
  subject: v.optional(text(64), ""),
});
export const neededListSchema = v.object({
  needed: v.array(
    v.object({
      ...subjectEntries,
      /** Fields of the order, without those that the signer chooses. */
      content: v.record(v.string(), v.unknown()),
      /** Order with too few signatures; a further signer signs the same text. */
      pending: v.nullable(signedSchema),
    }),
  ),
});
export const orderQuerySchema = v.object(subjectEntries);
/** `signed`: the newest order about the record with enough signatures. */
export const orderViewSchema = v.object({ signed: v.nullable(signedSchema) });
export const ordersBodySchema = v.object({
  orders: v.pipe(
    v.array(v.object({ ...subjectEntries, signed: signedSchema })),
    v.minLength(1),
    v.maxLength(1_000),
  ),
});
/** `isComplete`: the order has enough signatures, and devices get it. */
export const ordersAnswerSchema = v.object({
  orders: v.array(v.object({ ...subjectEntries, isComplete: v.boolean() })),
});
export const freshnessBodySchema = v.object({ signed: signedSchema });
export type TrustView = v.InferOutput<typeof trustViewSchema>;
export type NeededList = v.InferOutput<typeof neededListSchema>;
export type NeededView = NeededList["needed"][number];
export type OrdersBody = v.InferOutput<typeof ordersBodySchema>;
export type OrdersAnswer = v.InferOutput<typeof ordersAnswerSchema>;
