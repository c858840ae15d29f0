/**
 * Events for people: the names of what changed, on a stream that a browser holds open. The data is
 * read from the lists and views.
 */
import * as v from "valibot";

/** Kinds of what changes, and the route of its list: who may read it gets its changes. */
export const changeKinds = {
  device: "GET /v1/devices",
  task: "GET /v1/tasks",
  package: "GET /v1/packages",
  publication: "GET /v1/publications",
  group: "GET /v1/groups",
  site: "GET /v1/sites",
  subnet: "GET /v1/subnets",
  setting: "GET /v1/settings",
  token: "GET /v1/tokens",
  user: "GET /v1/users",
  audit: "GET /v1/audit",
} as const;
export type ChangeKind = keyof typeof changeKinds;
const kindSchema = v.picklist(Object.keys(changeKinds) as ChangeKind[]);

/** Null: more than 100 of this kind changed, and none is named. */
const changeSchema = v.object({ kind: kindSchema, id: v.nullable(v.string()) });
/** Data of `event: change`. */
export const changesSchema = v.object({ changes: v.array(changeSchema) });
/** Data of `event: hello`, the first one of a stream. `refresh`: changes may have been missed. */
export const helloSchema = v.object({ refresh: v.boolean() });

export type Change = v.InferOutput<typeof changeSchema>;
