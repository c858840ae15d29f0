/**
 * Routes of publications by URL: a person names a web site, and the source reads the file and
 * publishes it. No answer has a part of what the web site sent.
 */
import { Hono } from "hono";
import {
  publicationListSchema,
  publicationPathSchema,
  publicationRequestSchema,
  publicationSchema,
  type Publication,
} from "../../api/schema/publishing.ts";
import { packageNameProblem, versionProblem } from "../../model/package-path.ts";
import { packageUrlProblem, redactUrl } from "../../model/package-url.ts";
import { ApiError } from "../api-error.ts";
import { allow } from "../auth.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { fetchPackage, requireOwnKeys } from "../fetch-package.ts";
import { documented, jsonBody, limitBody, pathParameters } from "../openapi.ts";
import { commandsIn } from "./package-signing.ts";

/** Upper bound on a request: mostly the named commands. */
const requestBytesMax = 128 * 1_024;

export function publicationRoutes(context: SourceContext): Hono<SourceEnv> {
  const routes = new Hono<SourceEnv>();
  addStart(routes, context);
  addViews(routes, context);
  return routes;
}

function addStart(routes: Hono<SourceEnv>, context: SourceContext): void {
  const { catalog, publications } = context;
  routes.post(
    "/",
    documented({
      summary: "Let the source read a file of a web site and publish it; devices download it from there",
      audience: ["admin"],
      answer: publicationSchema,
    }),
    allow(context),
    limitBody(requestBytesMax),
    jsonBody(publicationRequestSchema),
    async (c) => {
      const request = c.req.valid("json");
      check(request);
      const commands = commandsIn(request.commands);
      await requireOwnKeys(context);
      const { caller } = c.var;
      const startedBy = caller.kind === "person" ? caller.name : "";
      const begun = publications.begin(request, startedBy, fetchPackage(context, request, commands));
      const object = `publication ${begun.id}`;
      const { name, version, url } = begun;
      await catalog.audit.note({ object, after: { name, version, url } });
      return c.json(begun);
    },
  );
}

/** @throws ApiError 400 for a name, a version or an address that no package can have */
function check({ name, version, url }: { name: string; version: string; url: string }): void {
  const problems = [
    ["name", packageNameProblem(name)],
    ["version", versionProblem(version)],
    [`address ${redactUrl(url)}`, packageUrlProblem(url)],
  ] as const;
  for (const [what, problem] of problems)
    if (problem !== null) throw new ApiError(400, `The ${what} cannot be used: ${problem}`, "correct it");
}

function addViews(routes: Hono<SourceEnv>, context: SourceContext): void {
  const { catalog, publications, log } = context;
  routes.get(
    "/",
    documented({
      summary: "Publications by URL that run, or ended within the last hour",
      audience: ["admin"],
      answer: publicationListSchema,
    }),
    allow(context),
    (c) => c.json({ publications: publications.list() }),
  );
  routes.get(
    "/:id",
    documented({
      summary: "A publication by URL: its progress, and why it failed",
      audience: ["admin"],
      answer: publicationSchema,
    }),
    allow(context),
    pathParameters(publicationPathSchema),
    (c) => c.json(known(publications.byId(c.req.valid("param").id))),
  );
  routes.delete(
    "/:id",
    documented({
      summary: "Cancel a publication by URL; one that has ended stays as it is",
      audience: ["admin"],
      answer: publicationSchema,
    }),
    allow(context),
    pathParameters(publicationPathSchema),
    async (c) => {
      const ended = known(await publications.cancel(c.req.valid("param").id));
      await catalog.audit.note({ object: `publication ${ended.id}`, after: { state: ended.state } });
      log.info({ publication: ended.id, state: ended.state }, "publication by URL cancelled");
      return c.json(ended);
    },
  );
}

/** @throws ApiError 404 */
function known(publication: Publication | null): Publication {
  if (publication !== null) return publication;
  throw new ApiError(
    404,
    "No such publication: it ended more than an hour ago, or the source was started again",
    "look at the list of packages, and publish again where it is missing",
  );
}
