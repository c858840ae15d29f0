/**
 * HTTP API of the source: all routes, their OpenAPI document, and the one place that turns errors
 * into responses. It opens no port (server.ts does), so tests call it directly.
 */
import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { routePath } from "hono/route";
import type * as v from "valibot";
import type { errorSchema } from "../api/schema/common.ts";
import { version } from "../version.ts";
import { TrustError } from "../model/trust/index.ts";
import { healthSchema } from "../api/schema/admin.ts";
import { serveConsole } from "./console/serve-console.ts";
import { agentRoutes } from "./routes/agent.ts";
import { ApiError } from "./api-error.ts";
import { allow } from "./auth.ts";
import type { SourceContext, SourceEnv } from "./context.ts";
import { documented, openApiDocument, shortened } from "./openapi.ts";
import { deviceRoutes } from "./routes/devices.ts";
import { eventRoutes } from "./routes/events.ts";
import { identityRoutes } from "./routes/identity.ts";
import { auditRoutes } from "./routes/audit.ts";
import { backupRoutes } from "./routes/backup.ts";
import { overviewRoutes } from "./routes/overview.ts";
import { packageRoutes } from "./routes/packages.ts";
import { publicationRoutes } from "./routes/publications.ts";
import { reportRoutes } from "./routes/reports.ts";
import { settingAssignmentRoutes } from "./routes/setting-assignments.ts";
import { sessionRoutes } from "./routes/session.ts";
import { setUpRoutes } from "./routes/set-up.ts";
import { settingRoutes } from "./routes/settings.ts";
import { singleSignOnRoutes } from "./routes/single-sign-on.ts";
import { siteRoutes } from "./routes/sites.ts";
import { subnetRoutes } from "./routes/subnets.ts";
import { tagRoutes } from "./routes/tags.ts";
import { targetRoutes } from "./routes/targets.ts";
import { taskRoutes } from "./routes/tasks.ts";
import { trustRoutes } from "./routes/trust.ts";
import { tokenRoutes } from "./routes/tokens.ts";
import { userRoutes } from "./routes/users.ts";
import { webhookRoutes } from "./routes/webhooks.ts";

const documentation = {
  info: {
    title: "flockcast source",
    version,
    description: "Publishes packages, hands out tasks and settings, keeps the inventory.",
    license: { name: "Apache-2.0", identifier: "Apache-2.0" },
  },
  servers: [{ url: "/", description: "the source that answers with this document" }],
  tags: [
    { name: "admin", description: "for people: with an API token, or the session of a browser" },
    { name: "device", description: "for agents: with the credential of a device" },
    { name: "anyone", description: "without a credential" },
  ],
  components: {
    securitySchemes: {
      device: { type: "http", scheme: "bearer", description: "a device's credential, from its enrolment" },
      admin: {
        type: "http",
        scheme: "bearer",
        description: "an API token; a browser sends the cookie of its session instead",
      },
    },
  },
} satisfies Parameters<typeof openApiDocument>[1];

/** Returns the app with all routes. */
export function createSourceApp(context: SourceContext): Hono<SourceEnv> {
  const { catalog, metrics } = context;
  const app = new Hono<SourceEnv>();
  app.use(async (c, next) => {
    await next();
    const route = routePath(c, -1);
    metrics.requests.inc({ method: c.req.method, route, status: String(c.res.status) });
  });
  app.use(serveConsole());
  app.get(
    "/healthz",
    documented({ summary: "Health of the source", audience: ["anyone"], answer: healthSchema }),
    (c) => c.json({ ok: true, version, deployment: catalog.deployment } as const),
  );
  app.get(
    "/metrics",
    documented({ summary: "Metrics for Prometheus", audience: ["admin"], media: "text/plain" }),
    allow(context),
    async (c) =>
      c.body(await metrics.registry.metrics(), 200, { "content-type": metrics.registry.contentType }),
  );
  addRoutes(app, context);
  app.get(
    "/openapi.json",
    documented({ summary: "This document", audience: ["admin"], media: "application/json" }),
    allow(context),
    async (c) => c.json(await openApiDocument(app, documentation)),
  );
  app.notFound((c) => {
    const { method, path } = c.req;
    const allowed = methodsAt(app, path);
    const error = shortened(`No ${method} ${path}`);
    if (allowed.length === 0) return c.json({ error, hint: "see /openapi.json" }, 404);
    return c.json({ error, hint: `the path has ${allowed.join(", ")}` }, 405, { allow: allowed.join(", ") });
  });
  app.onError((error, c) => {
    const { status, body, headers = {} } = answerTo(error, context);
    return c.json(body, status, headers);
  });
  return app;
}

function addRoutes(app: Hono<SourceEnv>, context: SourceContext): void {
  app.route("/v1/agent", agentRoutes(context));
  app.route("/v1/packages", packageRoutes(context));
  app.route("/v1/publications", publicationRoutes(context));
  app.route("/v1/tasks", taskRoutes(context));
  app.route("/v1/settings", settingRoutes(context));
  app.route("/v1/devices", deviceRoutes(context));
  app.route("/v1/subnets", subnetRoutes(context));
  app.route("/v1/reports", reportRoutes(context));
  app.route("/v1/audit", auditRoutes(context));
  app.route("/v1/tokens", tokenRoutes(context));
  app.route("/v1/backup", backupRoutes(context));
  app.route("/v1/webhooks", webhookRoutes(context));
  app.route("/v1/users", userRoutes(context));
  app.route("/v1/setting-assignments", settingAssignmentRoutes(context));
  app.route("/v1/targets", targetRoutes(context));
  app.route("/v1/trust", trustRoutes(context));
  app.route("/v1", eventRoutes(context));
  app.route("/v1", overviewRoutes(context));
  app.route("/v1", tagRoutes(context));
  app.route("/v1", siteRoutes(context));
  app.route("/v1", identityRoutes(context));
  app.route("/v1", sessionRoutes(context));
  app.route("/v1", setUpRoutes(context));
  app.route("/v1", singleSignOnRoutes(context));
}

/** Returns the methods of the routes at a path. */
function methodsAt(app: Hono<SourceEnv>, path: string): string[] {
  const matches = app.routes.filter(({ path: route, method }) => {
    if (method === "ALL") return false;
    const parts = route.split("/");
    const words = path.split("/");
    return (
      parts.length === words.length && parts.every((part, at) => part.startsWith(":") || part === words[at])
    );
  });
  return [...new Set(matches.map(({ method }) => method))].toSorted();
}

type Answer = {
  status: ApiError["status"] | 500;
  body: v.InferOutput<typeof errorSchema>;
  headers?: Record<string, string>;
};

function answerTo(error: Error, { log }: SourceContext): Answer {
  if (error instanceof ApiError) {
    const { status, message, hint, code, retryAfterMs } = error;
    return {
      status,
      headers: {
        ...(status === 401 ? { "www-authenticate": "Bearer" } : {}),
        ...(retryAfterMs === undefined ? {} : { "retry-after": String(Math.ceil(retryAfterMs / 1_000)) }),
      },
      body: {
        error: message,
        hint,
        ...(code === undefined ? {} : { code }),
      },
    };
  }
  if (error instanceof TrustError)
    return {
      status: 422,
      body: {
        error: `It is not accepted: ${error.message}`,
        hint: "trust show has what the source accepts: read it, and sign again",
      },
    };
  if (error instanceof HTTPException)
    return { status: 400, body: { error: error.message, hint: "the API is described at /openapi.json" } };
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT" || code === "SQLITE_FULL") {
    log.error({ err: error }, "the disk is full");
    return {
      status: 507,
      body: { error: "The source's disk is full", hint: "make room in its data folder, then try again" },
    };
  }
  log.error({ err: error }, "request failed");
  return { status: 500, body: { error: "Internal error", hint: "see the log of the source" } };
}
