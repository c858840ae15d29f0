/**
 * Routes of a package's URLs for administrators. Devices get the list with the right to download,
 * so a change reaches running tasks. No answer and no error shows the query of a URL.
 */
import { Hono } from "hono";
import * as v from "valibot";
import type { PackageRecord } from "../catalog/index.ts";
import { packageUrlChangeSchema, packageUrlListSchema, type PackageUrlList } from "../../api/schema/admin.ts";
import { name } from "../../api/schema/common.ts";
import {
  layoutOf,
  packageUrlProblem,
  packageUrlsMax,
  redactUrl,
  type PackageUrl,
} from "../../model/package-url.ts";
import { ApiError } from "../api-error.ts";
import { allow } from "../auth.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { documented, jsonBody, limitBody, pathParameters } from "../openapi.ts";
import { packageNamed } from "./named-package.ts";

/** Path of a package by name and version, or by id. */
export const namePathSchema = v.object({ id: name(256) });

/** Returns URLs as a person may see them. */
export const redacted = (urls: readonly PackageUrl[]): PackageUrl[] =>
  urls.map(({ url, layout }) => ({ url: redactUrl(url), layout }));

/** @throws ApiError for a URL from which devices cannot download the package */
export function checkUrls(
  added: readonly PackageUrl[],
  known: readonly PackageUrl[],
  fileCount: number,
): void {
  for (const { url, layout } of added) {
    const problem = packageUrlProblem(url);
    if (problem)
      throw new ApiError(400, `The URL of the package cannot be used: ${problem}`, "correct the address");
    if (layout === "file" && fileCount !== 1)
      throw new ApiError(
        400,
        `The layout "file" needs exactly one file, the package has ${fileCount}`,
        "give the address of a folder with these files",
      );
  }
  if (new Set([...known, ...added].map(({ url }) => url)).size > packageUrlsMax)
    throw new ApiError(409, `A package has at most ${packageUrlsMax} URLs`, "remove one first");
}

export function packageUrlRoutes(context: SourceContext): Hono<SourceEnv> {
  const routes = new Hono<SourceEnv>();
  addReading(routes, context);
  addChanges(routes, context);
  return routes;
}

async function listOf({ catalog, content }: SourceContext, id: string): Promise<PackageUrlList> {
  const { urls, sizeBytes } = (await catalog.packages.byId(id))!;
  return { urls: redacted(urls), atSource: await content.has(id, sizeBytes) };
}

function addReading(routes: Hono<SourceEnv>, context: SourceContext): void {
  routes.get(
    "/:id/urls",
    documented({ summary: "The URLs of a package", audience: ["admin"], answer: packageUrlListSchema }),
    allow(context),
    pathParameters(namePathSchema),
    async (c) => c.json(await listOf(context, (await packageNamed(context, c.req.valid("param").id)).id)),
  );
}

function addChanges(routes: Hono<SourceEnv>, context: SourceContext): void {
  const { catalog, log } = context;
  routes.post(
    "/:id/urls",
    documented({
      summary: "Add a URL as the last one that devices try",
      audience: ["admin"],
      answer: packageUrlListSchema,
    }),
    allow(context),
    limitBody(16_384),
    pathParameters(namePathSchema),
    jsonBody(packageUrlChangeSchema),
    async (c) => {
      const { id, urls, fileCount } = await packageNamed(context, c.req.valid("param").id);
      const { url } = c.req.valid("json");
      const added = { url, layout: layoutOf(url, fileCount) };
      checkUrls([added], urls, fileCount);
      await catalog.packages.addUrl(id, added);
      await catalog.leases.forgetFailures(id);
      log.info({ packageId: id, url: redactUrl(url) }, "URL added");
      return c.json(await listOf(context, id));
    },
  );
  routes.delete(
    "/:id/urls",
    documented({
      summary: "Remove a URL, written in full or as lists show it",
      audience: ["admin"],
      answer: packageUrlListSchema,
    }),
    allow(context),
    limitBody(16_384),
    pathParameters(namePathSchema),
    jsonBody(packageUrlChangeSchema),
    async (c) => {
      const published = await packageNamed(context, c.req.valid("param").id);
      const { url } = urlNamed(published, c.req.valid("json").url);
      await removeUrl(context, published, url);
      return c.json(await listOf(context, published.id));
    },
  );
}

async function removeUrl(
  { catalog, content, log }: SourceContext,
  { id, name: packageName, version, urls, sizeBytes }: PackageRecord,
  url: string,
): Promise<void> {
  if (urls.length === 1 && !(await content.has(id, sizeBytes)))
    throw new ApiError(
      409,
      `${packageName} ${version} would be nowhere: the source has no copy of it`,
      "add another URL first, or publish the files without --url",
    );
  await catalog.packages.removeUrl(id, url);
  log.info({ packageId: id, url: redactUrl(url) }, "URL removed");
}

function urlNamed({ name: packageName, version, urls }: PackageRecord, words: string): PackageUrl {
  const exact = urls.find(({ url }) => url === words);
  const shown = urls.filter(({ url }) => redactUrl(url) === words);
  const found = exact ?? shown[0];
  if (!found) {
    const what = `${packageName} ${version} has no URL ${redactUrl(words)}`;
    throw new ApiError(404, what, "package url list shows all");
  }
  if (exact === undefined && shown.length > 1)
    throw new ApiError(409, `Several URLs are shown as ${words}`, "write the whole URL");
  return found;
}
