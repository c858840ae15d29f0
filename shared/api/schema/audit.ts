/** Schemas of the HTTP bodies about the audit. common.ts defines units and encodings. */
import * as v from "valibot";
import { actorKinds } from "../../model/audit.ts";
import { counter, name, timeMs } from "./common.ts";

const hashSchema = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, "a hash is 64 hex digits"));
const sequenceSchema = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER));
const beginningSchema = v.object({ sequence: sequenceSchema, hash: hashSchema });

export const auditRowSchema = v.object({
  sequence: sequenceSchema,
  atMs: timeMs,
  actor: v.string(),
  kind: v.picklist(actorKinds),
  address: v.string(),
  action: v.string(),
  object: v.string(),
  before: v.nullable(v.string()),
  after: v.nullable(v.string()),
  result: v.string(),
  count: counter,
  previous: hashSchema,
  hash: hashSchema,
});
export const auditListSchema = v.object({ rows: v.array(auditRowSchema) });

const digits = v.pipe(v.string(), v.regex(/^\d{1,15}$/, "a whole number"));
export const auditQuerySchema = v.strictObject({
  /** Milliseconds since 1970. */
  since: v.optional(digits),
  /** Sequence before which the rows are. */
  before: v.optional(digits),
  actor: v.optional(name(256)),
  action: v.optional(name(256)),
  object: v.optional(name(256)),
  limit: v.optional(v.pipe(v.string(), v.regex(/^([1-9]\d{0,2}|1000)$/, "a number from 1 to 1000")), "100"),
});
/** A head that was exported earlier, to compare with. */
export const auditVerificationQuerySchema = v.strictObject({
  sequence: v.optional(digits),
  hash: v.optional(hashSchema),
});
export const auditVerificationSchema = v.object({
  rows: counter,
  /** The row before the first one: the last that was removed by age. */
  beginning: beginningSchema,
  /** The last row in order. */
  head: beginningSchema,
  /** Problem of the first row that is not in order; null: all are. */
  broken: v.nullable(v.string()),
  /** Fate of the row of the query; null: the query had none. */
  known: v.nullable(v.picklist(["unchanged", "changed", "missing", "removed-by-age"])),
});
/** First line of an export; rows follow, and a line with the head. */
export const auditExportHeadSchema = v.object({
  format: v.literal("flockcast audit 1"),
  deployment: v.number(),
  exportedAtMs: timeMs,
  beginning: beginningSchema,
});
export const auditExportEndSchema = v.object({ head: beginningSchema });

export type AuditVerification = v.InferOutput<typeof auditVerificationSchema>;
