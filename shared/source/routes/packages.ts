/**
 * Routes of packages: publishing and manifests (administrators), bytes (devices too). A published
 * version never changes, and publishing it again changes nothing.
 */
import { Hono, type Context } from "hono";
import * as v from "valibot";
import type { DeviceRecord, PackageRecord } from "../catalog/index.ts";
import {
  packageListQuerySchema,
  packageListSchema,
  packageRemovedSchema,
  publishRequestSchema,
  publishResponseSchema,
  type PublishedPackage,
} from "../../api/schema/admin.ts";
import { unpackManifest } from "../../api/packed-manifest.ts";
import { manifestResponseSchema } from "../../api/schema/agent.ts";
import { ApiError } from "../api-error.ts";
import { allow } from "../auth.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { documented, jsonBody, limitBody, pathParameters, queryParameters } from "../openapi.ts";
import { keyIn, readPage } from "../page.ts";
import { partAnswer, wantedBytes } from "../range.ts";
import { removePackage } from "../package-removal.ts";
import { publishPackage } from "../publish-package.ts";
import { mayDownload } from "./leases.ts";
import { packageNamed } from "./named-package.ts";
import { packageDeviceRoutes } from "./package-devices.ts";
import { needsPackage } from "./participation.ts";
import { packageById, packagePathSchema } from "./package-by-id.ts";
import { packageSigningRoutes } from "./package-signing.ts";
import { packageUploadRoutes } from "./package-upload.ts";
import { namePathSchema, packageUrlRoutes, redacted } from "./package-urls.ts";

/** Upper bound on a publish request: a packed manifest of 16 MiB in base64, and URLs. */
const publishBytesMax = 24 * 1_048_576;
/** Idle timeout of a transfer. A slow or rate-limited device reads a piece in less time. */
const contentIdleSeconds = 240;

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

export function packageRoutes(context: SourceContext): Hono<SourceEnv> {
  const routes = new Hono<SourceEnv>();
  addPublishing(routes, context);
  addReading(routes, context);
  addRemoval(routes, context);
  routes.route("/", packageUploadRoutes(context));
  routes.route("/", packageSigningRoutes(context));
  routes.route("/", packageUrlRoutes(context));
  routes.route("/", packageDeviceRoutes(context));
  return routes;
}

function withoutKey(record: PackageRecord): PublishedPackage {
  const { packageKey: _key, urls, ...published } = record;
  return { ...published, urls: redacted(urls) };
}

function addPublishing(routes: Hono<SourceEnv>, context: SourceContext): void {
  routes.post(
    "/",
    documented({
      summary: "Publish a signed manifest; the answer says whether the source needs the bytes",
      audience: ["admin"],
      answer: publishResponseSchema,
    }),
    allow(context),
    limitBody(publishBytesMax),
    jsonBody(publishRequestSchema),
    async (c) => {
      const { packed, urls } = c.req.valid("json");
      const signed = await unpackManifest(Buffer.from(packed, "base64"));
      if (signed === null)
        throw new ApiError(400, "The body has no packed manifest", "publish with flockcast-source publish");
      return c.json(await publishPackage(context, signed, urls));
    },
  );
  routes.get(
    "/",
    documented({
      summary: "Packages, the last published first, a page at a time",
      audience: ["admin"],
      answer: packageListSchema,
    }),
    allow(context),
    queryParameters(packageListQuerySchema),
    async (c) => {
      const query = c.req.valid("query");
      const { rows, next } = await readPage({
        query,
        after: keyIn(query, v.pipe(v.tuple([v.number(), v.number()]), v.readonly())),
        read: (after, limit) => context.catalog.packages.page({ after, limit, search: query.search ?? null }),
        keyOf: ({ key }) => key,
      });
      return c.json({ packages: rows.map(({ record }) => withoutKey(record)), next });
    },
  );
}

function addReading(routes: Hono<SourceEnv>, context: SourceContext): void {
  routes.get(
    "/:id/manifest",
    documented({
      summary: "The signed manifest",
      audience: ["admin"],
      answer: manifestResponseSchema,
    }),
    allow(context),
    pathParameters(packagePathSchema),
    async (c) => {
      const { id } = await packageById(context, c.req.valid("param").id);
      const signed = (await context.catalog.packages.signedManifest(id))!;
      return c.json({
        manifest: base64(signed.manifest),
        signature: base64(signed.signature),
        publisherKey: base64(signed.publisherKey),
      });
    },
  );
  routes.get(
    "/:id/content",
    documented({
      summary: "The package's bytes, with Range: its files in manifest order, one after the other",
      audience: ["device", "admin"],
      also: {
        206: "the bytes of the range",
        304: "the content has the ETag of If-None-Match",
        416: "the package has no byte of the range: its size is in Content-Range",
      },
    }),
    allow(context),
    pathParameters(packagePathSchema),
    async (c) => {
      const published = await packageById(context, c.req.valid("param").id);
      if (c.var.caller.kind === "device") await checkDownload(context, c.var.device, published);
      return contentResponse(context, c, published);
    },
  );
}

/** @throws ApiError 403 for a device without the right to download the package */
async function checkDownload(
  context: SourceContext,
  device: DeviceRecord,
  { id, name, version }: PackageRecord,
): Promise<void> {
  if (!(await needsPackage(context, device, id)))
    throw new ApiError(403, `No open task for this device needs ${name} ${version}`, "check in again");
  if (await mayDownload(context, device, id)) return;
  const what = `Another device of this subnet has the lease of ${name} ${version}`;
  throw new ApiError(403, what, "get the package from that device, or ask for a fallback token");
}

function addRemoval(routes: Hono<SourceEnv>, context: SourceContext): void {
  routes.delete(
    "/:id",
    documented({
      summary: "Remove a package, by id or NAME@VERSION, unless an open task needs it",
      audience: ["admin"],
      answer: packageRemovedSchema,
    }),
    allow(context),
    pathParameters(namePathSchema),
    async (c) => {
      const words = c.req.valid("param").id;
      const found = await packageNamed(context, words);
      const full = `${found.name}@${found.version}`;
      if (words !== found.id && words.toLowerCase() !== full.toLowerCase())
        throw new ApiError(400, `"${words}" may mean several versions`, `name one, for example ${full}`);
      const tasks = await removePackage(context, found);
      if (tasks.length > 0)
        throw new ApiError(409, `Open tasks need ${full}: ${tasks.join(", ")}`, "cancel them first");
      return c.json({ packageId: found.id, name: found.name, version: found.version });
    },
  );
}

async function contentResponse(
  context: SourceContext,
  c: Context<SourceEnv>,
  published: PackageRecord,
): Promise<Response> {
  const { id, sizeBytes, urls } = published;
  const isStored = published.state === "ready" && (await context.content.has(id, sizeBytes));
  if (!isStored && urls.length > 0) {
    const hint = `fetch it from ${redacted(urls)[0]!.url}`;
    throw new ApiError(404, `The source does not hold ${published.name}`, hint);
  }
  if (!isStored) {
    throw new ApiError(503, `The source does not hold all of ${published.name} yet`, "publish it again");
  }
  const etag = `"${id}"`;
  const headers = {
    "content-type": "application/octet-stream",
    "accept-ranges": "bytes",
    // A package never changes, but shared caches must not serve it to clients without a credential.
    "cache-control": "private, no-transform",
    etag,
  };
  if (c.req.header("if-none-match")?.includes(etag)) return c.body(null, 304, headers);
  const wanted = wantedBytes(c.req.header("range"), c.req.header("if-range"), etag, sizeBytes);
  if (wanted.kind === "unsatisfiable") {
    const refusal = { error: `The package has ${sizeBytes} bytes` };
    return c.json(refusal, 416, { "content-range": `bytes */${sizeBytes}`, etag });
  }
  const { start, end, status, headers: ofPart } = partAnswer(wanted, sizeBytes);
  const sized = { ...headers, ...ofPart };
  if (c.req.method === "HEAD" || start === end) return c.body(null, status, sized);
  c.env.allowIdle(contentIdleSeconds);
  const receiver =
    c.var.caller.kind === "device"
      ? { packageId: id, deviceId: c.var.device.id, subnetId: c.var.device.subnet?.id ?? "" }
      : null;
  // The file is read in pieces instead of handed to Bun, because the account must count what was
  // sent when the reader disconnects early. Bun sends such a body in chunked coding, without
  // Content-Length (HEAD has it).
  const stream = context.content.read(id, start, end, (bytes) => {
    if (receiver !== null) context.wan.count(receiver, bytes);
  });
  return c.body(stream, status, sized);
}
