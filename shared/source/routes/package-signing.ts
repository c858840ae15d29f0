/**
 * Route by which a person in a browser publishes: the source makes the manifest from the digests of
 * the browser, and signs it with its own publisher's key. In the embedded mode only.
 */
import { Hono } from "hono";
import type * as v from "valibot";
import { publishResponseSchema } from "../../api/schema/admin.ts";
import { signRequestSchema } from "../../api/schema/publishing.ts";
import { encodeManifestInTurns } from "../../model/manifest-codec.ts";
import { ManifestError } from "../../model/manifest-error.ts";
import type { NamedCommand } from "../../model/package-command.ts";
import { signed } from "../../model/signing.ts";
import { ApiError } from "../api-error.ts";
import { allow } from "../auth.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { documented, jsonBody, limitBody } from "../openapi.ts";
import { requireOwnKeys } from "../fetch-package.ts";
import { publishPackage } from "../publish-package.ts";
import { commandFileName, parseCommands } from "../publishing/command-file.ts";

/** Upper bound on a request: 16 MiB of digests in base64, and the paths. */
const signBytesMax = 48 * 1_048_576;

export function packageSigningRoutes(context: SourceContext): Hono<SourceEnv> {
  const routes = new Hono<SourceEnv>();
  routes.post(
    "/sign",
    documented({
      summary: "Publish a manifest that the source signs with its own publisher's key",
      audience: ["admin"],
      answer: publishResponseSchema,
    }),
    allow(context),
    limitBody(signBytesMax),
    jsonBody(signRequestSchema),
    async (c) => {
      const keys = await requireOwnKeys(context);
      const bytes = await manifestBytes(c.req.valid("json"));
      const { privateKey, key } = keys.publisher;
      const envelope = signed(bytes, { privateKey, publicKey: new Uint8Array(Buffer.from(key, "hex")) });
      return c.json(await publishPackage(context, envelope, []));
    },
  );
  return routes;
}

/** @throws ApiError 400 for entries, digests or commands that break a rule of manifests */
async function manifestBytes(request: v.InferOutput<typeof signRequestSchema>): Promise<Uint8Array> {
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
