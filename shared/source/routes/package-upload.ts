/**
 * Routes of uploads: the bytes of a package at once, or in parts that a lost connection does not
 * undo. Every chunk is verified against the manifest before it counts.
 */
import { Hono } from "hono";
import { decodeManifestInTurns } from "../../model/manifest-codec.ts";
import type { Manifest } from "../../model/manifest.ts";
import { doneSchema } from "../../api/schema/admin.ts";
import { uploadPartQuerySchema, uploadStateSchema, type UploadState } from "../../api/schema/publishing.ts";
import { ApiError } from "../api-error.ts";
import { allow } from "../auth.ts";
import type { PackageRecord } from "../catalog/index.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { documented, limitBody, pathParameters, queryParameters } from "../openapi.ts";
import { keepNewest } from "../package-removal.ts";
import { packageById, packagePathSchema } from "./package-by-id.ts";

/** Upper bound on one part of an upload. */
const partBytesMax = 64 * 1_048_576;
/** Idle timeout of an upload. */
const contentIdleSeconds = 240;

async function* noBytes(): AsyncGenerator<Uint8Array> {}

export function packageUploadRoutes(context: SourceContext): Hono<SourceEnv> {
  const routes = new Hono<SourceEnv>();
  addWholeUpload(routes, context);
  addParts(routes, context);
  return routes;
}

const manifestOf = async ({ catalog }: SourceContext, { id }: PackageRecord): Promise<Manifest> =>
  decodeManifestInTurns((await catalog.packages.signedManifest(id))!.manifest);

async function markReady(context: SourceContext, { id, sizeBytes }: PackageRecord): Promise<void> {
  const { catalog } = context;
  await catalog.packages.markReady(id);
  if (context.keepVersions !== null) await keepNewest(context, context.keepVersions);
  await catalog.leases.forgetFailures(id);
  context.log.info({ packageId: id, sizeBytes }, "package ready");
}

function addWholeUpload(routes: Hono<SourceEnv>, context: SourceContext): void {
  routes.put(
    "/:id/content",
    documented({
      summary: "Upload the package's virtual stream: its files in manifest order, one after the other",
      audience: ["admin"],
      answer: doneSchema,
    }),
    allow(context),
    pathParameters(packagePathSchema),
    async (c) => {
      const published = await packageById(context, c.req.valid("param").id);
      c.env.allowIdle(contentIdleSeconds);
      const manifest = await manifestOf(context, published);
      const { catalog, content } = context;
      try {
        await content.receive(published.id, manifest, c.req.raw.body ?? noBytes());
      } finally {
        if ((await catalog.packages.byId(published.id)) === null) await content.remove(published.id);
      }
      await markReady(context, published);
      return c.json({ ok: true } as const);
    },
  );
}

function addParts(routes: Hono<SourceEnv>, context: SourceContext): void {
  const { catalog, content } = context;
  routes.get(
    "/:id/upload",
    documented({
      summary: "Where the upload of a package continues",
      audience: ["admin"],
      answer: uploadStateSchema,
    }),
    allow(context),
    pathParameters(packagePathSchema),
    async (c) => c.json(await uploadState(context, c.req.valid("param").id)),
  );
  routes.patch(
    "/:id/content",
    documented({
      summary: "Upload the next part of the package's virtual stream; whole chunks count",
      audience: ["admin"],
      answer: uploadStateSchema,
    }),
    allow(context),
    pathParameters(packagePathSchema),
    queryParameters(uploadPartQuerySchema),
    limitBody(partBytesMax),
    async (c) => {
      const published = await packageById(context, c.req.valid("param").id);
      const state = await uploadState(context, published.id);
      const offset = Number(c.req.valid("query").offset);
      if (state.isComplete) return c.json(state);
      if (offset !== state.receivedBytes)
        throw new ApiError(
          409,
          `The upload continues at byte ${state.receivedBytes}, not at ${offset}`,
          "ask for the state of the upload, and send the part that begins there",
        );
      c.env.allowIdle(contentIdleSeconds);
      const manifest = await manifestOf(context, published);
      try {
        // The source may have ended between the last byte and the note that the package is ready.
        const isStored = await content.has(published.id, published.sizeBytes);
        const body = c.req.raw.body ?? noBytes();
        if (isStored || (await content.receivePart(published.id, manifest, body)))
          await markReady(context, published);
      } finally {
        if ((await catalog.packages.byId(published.id)) === null) await content.remove(published.id);
      }
      return c.json(await uploadState(context, published.id));
    },
  );
}

async function uploadState(context: SourceContext, id: string): Promise<UploadState> {
  const { sizeBytes, state } = await packageById(context, id);
  const isStored = await context.content.has(id, sizeBytes);
  const receivedBytes = isStored ? sizeBytes : await context.content.receivedBytes(id);
  return { sizeBytes, receivedBytes, isComplete: isStored && state === "ready" };
}
