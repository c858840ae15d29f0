/** Routes for administrators: what happened to a device, and what is in its cache. */
import type { Hono } from "hono";
import {
  deviceCacheSchema,
  deviceHistoryQuerySchema,
  deviceHistorySchema,
} from "../../api/schema/device-detail.ts";
import { deviceWordsSchema } from "../../api/schema/device.ts";
import { allow } from "../auth.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { documented, pathParameters, queryParameters } from "../openapi.ts";
import { deviceInScope } from "../scope.ts";

export function addDeviceDetails(routes: Hono<SourceEnv>, context: SourceContext): void {
  const { statements } = context.catalog;
  routes.get(
    "/:device/history",
    documented({
      summary: "What happened to a device, the newest event first; check-ins are no events",
      audience: ["admin"],
      answer: deviceHistorySchema,
    }),
    allow(context),
    pathParameters(deviceWordsSchema),
    queryParameters(deviceHistoryQuerySchema),
    async (c) => {
      const { id } = await deviceInScope(context, c, c.req.valid("param").device);
      return c.json({ events: await statements.events(id, Number(c.req.valid("query").limit)) });
    },
  );
  routes.get(
    "/:device/cache",
    documented({
      summary:
        "The packages in the cache of a device with their sizes, by its last check-in and reports since",
      audience: ["admin"],
      answer: deviceCacheSchema,
    }),
    allow(context),
    pathParameters(deviceWordsSchema),
    async (c) => {
      const { id } = await deviceInScope(context, c, c.req.valid("param").device);
      const found = await statements.cache(id);
      return c.json({ statedAtMs: found?.statedAtMs ?? null, packages: [...(found?.packages ?? [])] });
    },
  );
}
