/**
 * Validation and OpenAPI description of routes from one valibot schema. A request that does not
 * match is refused with the place of the fault and the expected value.
 */
import { toJsonSchema } from "@valibot/to-json-schema";
import { bodyLimit } from "hono/body-limit";
import type { Context, Hono } from "hono";
import { describeRoute, generateSpecs, resolver, validator, type GenerateSpecOptions } from "hono-openapi";
import * as v from "valibot";
import { errorSchema } from "../api/schema/common.ts";
import { ApiError } from "./api-error.ts";
import type { SourceEnv } from "./context.ts";
import { permissions, type Permission } from "./permissions.ts";

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
  /** Further statuses → what they mean. 206 has the media type of 200, 416 an error. */
  readonly also?: Readonly<Partial<Record<206 | 304 | 416, string>>>;
  /** Whether a browser is led to another page, and gets a page with the reason if it is not. */
  readonly redirects?: true;
};

/** Describes a route for the OpenAPI document, which gets the errors from `openApiDocument`. */
export function documented({ summary, audience, ...answers }: Documented) {
  const callers = audience.filter((one) => one !== "anyone");
  return describeRoute({
    summary,
    tags: [...audience],
    security: callers.map((one) => ({ [one]: [] })),
    responses: answers.redirects ? redirections : successes(answers),
  });
}

const redirections = {
  303: { description: "the next page" },
  "4XX": { description: "a page that says why not", content: { "text/html": {} } },
};

function successes({ answer, media, also = {} }: Pick<Documented, "answer" | "media" | "also">) {
  const content =
    answer === undefined
      ? { [media ?? "application/octet-stream"]: {} }
      : { "application/json": { schema: resolver(answer) } };
  const further = Object.entries(also).map(([status, description]) => {
    if (status === "416") return [status, errorAnswer(description)] as const;
    return [status, status === "206" ? { description, content } : { description }] as const;
  });
  return { 200: { description: "done", content }, ...Object.fromEntries(further) };
}

type Documentation = NonNullable<GenerateSpecOptions["documentation"]>;
type Operation = {
  readonly parameters?: readonly { readonly in?: string }[];
  readonly requestBody?: unknown;
  responses: Record<string, unknown>;
};

/** Errors that share a schema. The text is the description of the answer. */
const errorTexts = {
  400: "the request does not match this document: the place of the fault, and what is expected",
  401: "no credential, or one that is unknown, revoked or expired",
  403: "the caller may not do this",
  404: "what the path names does not exist",
  413: "the body is too large",
} as const;
const otherErrors = "refused: what is wrong and what to do";
const errorAnswer = (description: string) => ({
  description,
  content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
});

/** Returns the errors that an operation may answer, in place of those that hono-openapi adds. */
function errorsOf(operation: Operation, permission: Permission): Record<string, unknown> {
  const { parameters = [], requestBody } = operation;
  const needsCredential = !permission.callers.includes("anyone");
  const hasPath = parameters.some((one) => one.in === "path");
  const statuses = [
    ...(requestBody !== undefined || parameters.length > 0 ? ([400] as const) : []),
    ...(needsCredential ? ([401, 403] as const) : []),
    ...(hasPath ? ([404] as const) : []),
    ...(requestBody === undefined ? [] : ([413] as const)),
  ];
  const named = statuses.map((status) => [status, errorAnswer(errorTexts[status])]);
  return { ...Object.fromEntries(named), default: errorAnswer(otherErrors) };
}

/** Returns the OpenAPI document: the routes with their errors, callers and rule of the scope. */
export async function openApiDocument(app: Hono<SourceEnv>, documentation: Documentation) {
  const document = await generateSpecs(app, { documentation, excludeStaticFile: false });
  for (const [path, methods] of Object.entries(document.paths ?? {}))
    for (const [method, described] of Object.entries(methods)) {
      const name = `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`;
      const permission = permissions.get(name);
      if (permission === undefined) continue;
      const operation = described as Operation;
      // A validator of hono-openapi adds a 400 of its own, which the source never sends.
      const { 400: _, ...responses } = operation.responses;
      Object.assign(operation, {
        responses: { ...responses, ...errorsOf(operation, permission) },
        "x-callers": permission.callers,
        "x-scope": permission.scope,
      });
    }
  const schemas = { ...document.components?.schemas, Error: toJsonSchema(errorSchema, schemaOptions) };
  return { ...document, components: { ...document.components, schemas } };
}

/** The fallback of a code from a later version has no form in JSON Schema. */
const schemaOptions = { errorMode: "ignore" } as const;

type Issue = {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
};

/** Upper bound on a text of the request that an answer repeats. */
const repeatedMax = 300;

/** Returns a text from a request in the length that an error quotes. */
export const shortened = (text: string): string =>
  text.length <= repeatedMax ? text : `${text.slice(0, repeatedMax)}…`;

function refuse(where: string, issues: readonly Issue[]): never {
  const issue = issues[0];
  const path = (issue?.path ?? [])
    .map((part) => String(typeof part === "object" ? part.key : part))
    .join(".");
  const hint = "the API is described at /openapi.json";
  const why = shortened(issue?.message ?? "not valid");
  throw new ApiError(400, `Bad ${where}${path && ` at "${shortened(path)}"`}: ${why}`, hint);
}

/** Refuses bodies larger than `maxBytes` before they are read. */
export const limitBody = (maxBytes = bodyBytesMax) =>
  bodyLimit({
    maxSize: maxBytes,
    onError: () => {
      throw new ApiError(
        413,
        `The body is larger than ${maxBytes} bytes`,
        "send less at once: divide the package, the list or the text",
      );
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
