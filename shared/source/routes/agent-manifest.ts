/** Route by which devices get the manifest of a task's package, once per subnet. */
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { Hono } from "hono";
import { manifestAnswerSchema, manifestRequestSchema } from "../../api/schema/agent.ts";
import { packManifest } from "../../api/packed-manifest.ts";
import { allow } from "../auth.ts";
import type { SignedManifestBytes } from "../catalog/index.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { documented, jsonBody, limitBody } from "../openapi.ts";
import { checkAddress, participation } from "./participation.ts";

/** Answers kept in memory: the subnets of one task ask for the same one. */
const answersMax = 8;
const compress = promisify(gzip);

/**
 * An answer with a manifest: as JSON, and compressed, which takes back the third that base64 costs;
 * level 1 of zlib would not.
 */
type GrantedAnswer = { readonly json: string; readonly compressed: Uint8Array<ArrayBuffer> };

/** Returns the answer that grants a manifest. */
export async function grantedManifest(signed: SignedManifestBytes): Promise<GrantedAnswer> {
  const packed = await packManifest(signed);
  const json = JSON.stringify({ result: "granted", packed: Buffer.from(packed).toString("base64") });
  return { json, compressed: new Uint8Array(await compress(json, { level: 2 })) };
}

export function addManifests(routes: Hono<SourceEnv>, context: SourceContext): void {
  const answers = new Map<string, GrantedAnswer>();
  const answerOf = async (packageId: string): Promise<GrantedAnswer> => {
    // Another publisher may have signed the manifest since.
    const key = `${packageId} ${await context.catalog.packages.publisherOf(packageId)}`;
    const known = answers.get(key);
    if (known !== undefined) return known;
    const made = await grantedManifest((await context.catalog.packages.signedManifest(packageId))!);
    answers.set(key, made);
    if (answers.size > answersMax) answers.delete(answers.keys().next().value!);
    return made;
  };
  routes.post(
    "/manifest",
    documented({
      summary: "Get the manifest of a task's package, or the devices of the subnet that have it",
      audience: ["device"],
      answer: manifestAnswerSchema,
    }),
    allow(context),
    limitBody(16_384),
    jsonBody(manifestRequestSchema),
    async (c) => {
      const { address, lanPort, attempt, ...request } = c.req.valid("json");
      const { device } = c.var;
      const { packageId, share } = await participation(context, device, request);
      checkAddress(device, address);
      const granted = await answerOf(packageId);
      const holder = { deviceId: device.id, address, lanPort, attempt };
      if (share !== null) {
        const sentBytes = granted.compressed.length;
        const answer = context.manifests.ask(packageId, share, holder, sentBytes, context.nowMs());
        if (answer.result === "elsewhere") return c.json(answer);
      }
      const type = { "content-type": "application/json" };
      const takesGzip = (c.req.header("accept-encoding") ?? "").includes("gzip");
      if (!takesGzip) return c.body(granted.json, 200, type) as never;
      return c.body(granted.compressed, 200, { ...type, "content-encoding": "gzip" }) as never;
    },
  );
}
