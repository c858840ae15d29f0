/**
 * Routes by which a person in a browser publishes: the source makes the manifest from the digests
 * of the browser. In the embedded mode it signs the manifest; else the key of the browser does.
 */
import { Hono } from "hono";
import type * as v from "valibot";
import { publishResponseSchema } from "../../api/schema/admin.ts";
import { manifestToSignSchema, signRequestSchema } from "../../api/schema/publishing.ts";
import { encodeManifestInTurns } from "../../model/manifest-codec.ts";
import { ManifestError } from "../../model/manifest-error.ts";
import type { NamedCommand } from "../../model/package-command.ts";
import { signed, type SignedManifest } from "../../model/signing.ts";
import { ApiError } from "../api-error.ts";
import { allow } from "../auth.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { documented, jsonBody, limitBody } from "../openapi.ts";
import { requireOwnKeys } from "../fetch-package.ts";
import { publishPackage } from "../publish-package.ts";
import { commandFileName, parseCommands } from "../publishing/command-file.ts";

type Request = v.InferOutput<typeof signRequestSchema>;

/** Upper bound on a request: 16 MiB of digests in base64, and the paths. */
const signBytesMax = 48 * 1_048_576;

export function packageSigningRoutes(context: SourceContext): Hono<SourceEnv> {
  const routes = new Hono<SourceEnv>();
  routes.post(
    "/sign",
    documented({
      summary:
        "Publish a manifest with the given signature; without one the source signs it with its own key",
      audience: ["admin"],
      answer: publishResponseSchema,
    }),
    allow(context),
    limitBody(signBytesMax),
    jsonBody(signRequestSchema),
    async (c) => {
      const request = c.req.valid("json");
      return c.json(await publishPackage(context, await envelopeOf(context, request), []));
    },
  );
  routes.post(
    "/manifest",
    documented({
      summary: "The manifest of a package that is to be published, for a signature; changes nothing",
      audience: ["admin"],
      answer: manifestToSignSchema,
    }),
    allow(context),
    limitBody(signBytesMax),
    jsonBody(signRequestSchema),
    async (c) => {
      const bytes = await manifestBytes(c.req.valid("json"));
      return c.json({ manifest: Buffer.from(bytes).toString("base64") });
    },
  );
  return routes;
}

/** @throws ApiError 400 for a manifest that breaks a rule, 409 without a key or a signature */
async function envelopeOf(context: SourceContext, request: Request): Promise<SignedManifest> {
  const { signature: given } = request;
  if (given !== undefined)
    return {
      manifest: await manifestBytes(request),
      signature: new Uint8Array(Buffer.from(given.signature, "base64")),
      publisherKey: new Uint8Array(Buffer.from(given.publisherKey, "hex")),
    };
  const { privateKey, key } = (await requireOwnKeys(context)).publisher;
  const publicKey = new Uint8Array(Buffer.from(key, "hex"));
  return signed(await manifestBytes(request), { privateKey, publicKey });
}

/** @throws ApiError 400 for entries, digests or commands that break a rule of manifests */
async function manifestBytes(request: Request): Promise<Uint8Array> {
  const { name, version, files, folders, chunkSizeBytes, chunkDigests, zeros } = request;
  const commands = commandsIn(request.commands);
  try {
    return await encodeManifestInTurns({
      format: 2,
      name,
      version,
      files: files.map(({ path, sizeBytes }) => ({ path, sizeBytes, mode: 0o644 })),
      folders,
      links: [],
      commands,
      sizeBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      chunkSizeBytes,
      chunkDigests: new Uint8Array(Buffer.from(chunkDigests, "base64")),
      encodings: zeros.map(({ first, count }) => ({ encoding: "zeros", first, count })),
    });
  } catch (error) {
    if (error instanceof ManifestError)
      throw new ApiError(400, error.message, "correct the files or their names, and publish again");
    throw error;
  }
}

/** @throws ApiError 400 for a text that is not a file of commands */
export function commandsIn(text: string): NamedCommand[] {
  if (text.trim() === "") return [];
  try {
    return parseCommands(text);
  } catch (error) {
    throw new ApiError(
      400,
      `Cannot use the commands in ${commandFileName}: ${(error as Error).message}`,
      'write for example [install] and on the next line linux = "sh ./install.sh"',
    );
  }
}
