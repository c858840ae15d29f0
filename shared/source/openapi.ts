/**
 * Routes that document themselves: the same valibot schema checks the request, describes it in the OpenAPI document
 * and describes the answer. A body that does not fit is refused with the place and what belongs there.
 */
import { bodyLimit } from "hono/body-limit";
import { describeRoute, resolver, validator } from "hono-openapi";
import * as v from "valibot";
import { errorSchema } from "../api/schema/common.ts";
import { ApiError } from "./api-error.ts";
import type { SourceEnv } from "./context.ts";

/** Check-ins with 64 interfaces and 256 progress reports stay below this by far. */
const bodyBytesMax = 2 * 1_048_576;

type Audience = "device" | "admin" | "anyone";
type Documented = {
  readonly summary: string;
  readonly audience: readonly Audience[];
  /** Of the answer's JSON; left out for streams. */
  readonly answer?: v.GenericSchema;
  readonly media?: string;
};

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

/** Refuses bodies that are too large before they are read. */
export const limitBody = (maxBytes = bodyBytesMax) =>
  bodyLimit({
    maxSize: maxBytes,
    onError: () => {
      throw new ApiError(413, `The body is larger than ${maxBytes} bytes`);
    },
  });

export const jsonBody = <S extends v.GenericSchema>(schema: S) =>
  validator<S, "json", SourceEnv, string>("json", schema, (result) => {
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
