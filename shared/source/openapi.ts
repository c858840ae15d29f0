/**
 * Validation and OpenAPI description of routes from one valibot schema. A request that does not
 * match is refused with the place of the fault and the expected value.
 */
import { bodyLimit } from "hono/body-limit";
import type { Context, Hono } from "hono";
import { describeRoute, generateSpecs, resolver, validator, type GenerateSpecOptions } from "hono-openapi";
import * as v from "valibot";
import { errorSchema } from "../api/schema/common.ts";
import { ApiError } from "./api-error.ts";
import type { SourceEnv } from "./context.ts";
import { permissions } from "./permissions.ts";

/**
 * Upper bound on a JSON body. A check-in with 64 interfaces and a report of 256 tasks are far
 * smaller.
 */
const bodyBytesMax = 2 * 1_048_576;

type Audience = "device" | "admin" | "anyone";
type Documented = {
  readonly summary: string;
  readonly audience: readonly Audience[];
  /** Schema of the JSON response; omitted for streams. */
  readonly answer?: v.GenericSchema;
  readonly media?: string;
};

/** Describes a route for the OpenAPI document. */
export function documented({ summary, audience, answer, media }: Documented) {
  const callers = audience.filter((one) => one !== "anyone");
  const success =
    answer === undefined
      ? { [media ?? "application/octet-stream"]: {} }
      : { "application/json": { schema: resolver(answer) } };
  return describeRoute({
    summary,
    tags: [...audience],
    security: callers.map((one) => ({ [one]: [] })),
    responses: {
      200: { description: "done", content: success },
      default: {
        description: "refused: what is wrong and what to do",
        content: { "application/json": { schema: resolver(errorSchema) } },
      },
    },
  });
}

/** Returns the OpenAPI document, with the callers of each route and the rule of its scope. */
export async function openApiDocument(
  app: Hono<SourceEnv>,
  documentation: GenerateSpecOptions["documentation"],
) {
  const document = await generateSpecs(app, { documentation, excludeStaticFile: false });
  for (const [path, methods] of Object.entries(document.paths ?? {}))
    for (const [method, operation] of Object.entries(methods)) {
      const name = `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`;
      const permission = permissions.get(name);
      if (permission === undefined) continue;
      Object.assign(operation as object, {
        "x-callers": permission.callers,
        "x-scope": permission.scope,
      });
    }
  return document;
}

type Issue = {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
};

function refuse(where: string, issues: readonly Issue[]): never {
  const issue = issues[0];
  const path = (issue?.path ?? [])
    .map((part) => String(typeof part === "object" ? part.key : part))
    .join(".");
  const hint = "the API is described at /openapi.json";
  throw new ApiError(400, `Bad ${where}${path && ` at "${path}"`}: ${issue?.message ?? "not valid"}`, hint);
}

/** Refuses bodies larger than `maxBytes` before they are read. */
export const limitBody = (maxBytes = bodyBytesMax) =>
  bodyLimit({
    maxSize: maxBytes,
    onError: () => {
      throw new ApiError(413, `The body is larger than ${maxBytes} bytes`);
    },
  });

/** As hono decides which body it reads as JSON; it takes every other one for an empty object. */
const jsonTypePattern = /^\s*application\/([\w.-]+\+)?json\s*(;|$)/i;

/**
 * Refuses a body that would not be read: an edit of no field would seem to be done.
 * @throws ApiError 400
 */
function requireJson({ req }: Context<SourceEnv>): void {
  if (req.raw.body === null || jsonTypePattern.test(req.header("content-type") ?? "")) return;
  throw new ApiError(
    400,
    "The body is not stated to be JSON",
    "send the header Content-Type: application/json",
  );
}

export const jsonBody = <S extends v.GenericSchema>(schema: S) =>
  validator<S, "json", SourceEnv, string>("json", schema, (result, c) => {
    requireJson(c);
    if (!result.success) refuse("body", result.error);
  });

export const pathParameters = <S extends v.GenericSchema>(schema: S) =>
  validator<S, "param", SourceEnv, string>("param", schema, (result) => {
    if (!result.success) refuse("path", result.error);
  });

export const queryParameters = <S extends v.GenericSchema>(schema: S) =>
  validator<S, "query", SourceEnv, string>("query", schema, (result) => {
    if (!result.success) refuse("query", result.error);
  });
