/**
 * Schemas of the HTTP bodies between the source and its administrators that are about tokens.
 * common.ts defines units and encodings.
 */
import * as v from "valibot";
import { labelNameSchema } from "../../model/label-name.ts";
import { roles, scopeProblem } from "../../model/role.ts";
import { tokenKinds } from "../token.ts";
import { counter, name, timeMs } from "./common.ts";
import { tagsMax } from "./labels.ts";
import { nextEntries } from "./page.ts";

const tagList = v.pipe(v.array(labelNameSchema), v.maxLength(tagsMax, `at most ${tagsMax} tags`));

export const tokenSchema = v.object({
  /** 16 hex digits. */
  id: v.string(),
  kind: v.picklist(tokenKinds),
  name: v.string(),
  /** Null for an enrolment token. */
  role: v.nullable(v.picklist(roles)),
  /** Tags whose devices the token concerns; empty: all devices. */
  scope: v.array(v.string()),
  /** Tags that devices get at their enrolment. */
  tags: v.array(v.string()),
  needsApproval: v.boolean(),
  approvesTakeovers: v.boolean(),
  /** Whether its devices only get images, and are removed afterwards. */
  isImaging: v.optional(v.boolean(), false),
  /** Devices that may still enrol; null: any number. */
  usesLeft: v.nullable(counter),
  /** Devices that have enrolled. */
  uses: counter,
  /** Null: never. */
  expiresAtMs: v.nullable(timeMs),
  createdAtMs: timeMs,
  createdBy: v.string(),
  lastUsedAtMs: v.nullable(timeMs),
  revokedAtMs: v.nullable(timeMs),
});
export const tokenListSchema = v.object({ tokens: v.array(tokenSchema), ...nextEntries });

const personTokenSchema = v.strictObject({
  kind: v.literal("person"),
  name: labelNameSchema,
  role: v.picklist(roles),
  scope: v.optional(tagList, []),
  expiresAtMs: v.nullable(timeMs),
});
const enrolmentTokenSchema = v.strictObject({
  kind: v.literal("enrolment"),
  name: labelNameSchema,
  tags: v.optional(tagList, []),
  needsApproval: v.optional(v.boolean(), false),
  approvesTakeovers: v.optional(v.boolean(), false),
  isImaging: v.optional(v.boolean(), false),
  uses: v.nullable(v.pipe(counter, v.minValue(1, "at least 1"))),
  expiresAtMs: v.nullable(timeMs),
});
export const tokenCreateSchema = v.pipe(
  v.variant("kind", [personTokenSchema, enrolmentTokenSchema]),
  v.check(
    (one) => one.kind === "enrolment" || scopeProblem(one.role, one.scope) === null,
    "a scope is for viewers and operators: the other roles concern all devices",
  ),
);
/** The only answer that has the text of a token. */
export const tokenCreatedSchema = v.object({ token: tokenSchema, text: v.string() });
/** Text that finds a token: its id, or its name while it is not revoked. */
export const tokenWordsSchema = v.object({ token: name(256) });

export type Token = v.InferOutput<typeof tokenSchema>;
export type TokenCreate = v.InferInput<typeof tokenCreateSchema>;
export type TokenCreated = v.InferOutput<typeof tokenCreatedSchema>;
