/** Route by which devices get the manifest of a task's package, once per subnet. */
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { Hono } from "hono";
import { manifestAnswerSchema, manifestRequestSchema } from "../../api/schema/agent.ts";
import { packManifest } from "../../api/packed-manifest.ts";
import { allow } from "../auth.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { documented, jsonBody, limitBody } from "../openapi.ts";
import { participation } from "./participation.ts";

/** Packed manifests kept in memory: the subnets of one task ask for the same one. */
const packedMax = 8;
const compress = promisify(gzip);

export function addManifests(routes: Hono<SourceEnv>, context: SourceContext): void {
  const packed = new Map<string, Uint8Array>();
  const packedOf = async (packageId: string): Promise<Uint8Array> => {
    const known = packed.get(packageId);
    if (known !== undefined) return known;
    const bytes = await packManifest((await context.catalog.packages.signedManifest(packageId))!);
    packed.set(packageId, bytes);
    if (packed.size > packedMax) packed.delete(packed.keys().next().value!);
    return bytes;
  };
  routes.post(
    "/manifest",
    documented({
      summary: "Get the manifest of a task's package, or the devices of the subnet that have it",
      audience: ["device"],
      answer: manifestAnswerSchema,
    }),
    allow(context, "device"),
    limitBody(16_384),
    jsonBody(manifestRequestSchema),
    async (c) => {
      const { address, lanPort, attempt, ...request } = c.req.valid("json");
      const { device } = c.var;
      const { packageId, subnetId } = await participation(context, device, request);
      const bytes = await packedOf(packageId);
      const holder = { deviceId: device.id, address, lanPort, attempt };
      const answer =
        subnetId === null
          ? ({ result: "granted" } as const)
          : context.manifests.ask(packageId, subnetId, holder, bytes.length, context.nowMs());
      if (answer.result === "elsewhere") return c.json(answer);
      // Base64 costs a third; compression takes it back.
      const json = JSON.stringify({ ...answer, packed: Buffer.from(bytes).toString("base64") });
      const takesGzip = (c.req.header("accept-encoding") ?? "").includes("gzip");
      const headers = { "content-type": "application/json" };
      if (!takesGzip) return c.body(json, 200, headers) as never;
      const compressed = await compress(json, { level: 1 });
      return c.body(compressed, 200, { ...headers, "content-encoding": "gzip" }) as never;
    },
  );
}
