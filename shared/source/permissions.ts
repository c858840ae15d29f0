/**
 * Permissions: for every route, who may use it and what a scope does there. The middleware `allow`
 * (auth.ts) reads this table, and refuses a route that is missing in it. The OpenAPI document and
 * the table of roles in docs/OPERATIONS.md follow it.
 */
import { roles, type Role } from "../model/role.ts";

/** `anyone`: no credential is needed. */
export type AllowedCaller = "anyone" | "device" | Role;
/**
 * - `limits`: the answer and the change concern the devices of the scope alone
 * - `refuses`: a person with a scope may not use the route
 * - `none`: the route concerns no devices
 */
export type ScopeRule = "limits" | "refuses" | "none";
export type Permission = { readonly callers: readonly AllowedCaller[]; readonly scope: ScopeRule };

const by = (scope: ScopeRule, ...callers: readonly AllowedCaller[]): Permission => ({ callers, scope });
const anyone = by("none", "anyone");
const device = by("none", "device");
const reads = (scope: ScopeRule): Permission => by(scope, ...roles);
const operates = (scope: ScopeRule): Permission => by(scope, "operator", "administrator");
const publishes = by("none", "publisher", "administrator");
const administrates = by("none", "administrator");

const table = {
  "GET /healthz": anyone,
  "GET /metrics": reads("refuses"),
  "GET /openapi.json": reads("none"),
  "GET /v1/identity": anyone,

  "POST /v1/agent/enroll": anyone,
  "POST /v1/agent/enroll/imaging": anyone,
  "POST /v1/agent/enroll/clone": device,
  "POST /v1/agent/check-in": device,
  "POST /v1/agent/trust": device,
  "POST /v1/agent/neighbour": device,
  "POST /v1/agent/wake-result": device,
  "POST /v1/agent/manifest": device,
  "POST /v1/agent/lease": device,
  "POST /v1/agent/lease/release": device,
  "POST /v1/agent/fallback": device,
  "GET /v1/agent/events": device,
  "POST /v1/agent/progress": device,
  "POST /v1/agent/log": device,

  "GET /v1/packages": reads("none"),
  "POST /v1/packages": publishes,
  "POST /v1/packages/sign": publishes,
  "POST /v1/packages/manifest": publishes,
  "PUT /v1/packages/:id/content": publishes,
  "PATCH /v1/packages/:id/content": publishes,
  "GET /v1/packages/:id/upload": publishes,
  "GET /v1/packages/:id/content": by("none", "device", "publisher", "administrator"),
  "GET /v1/packages/:id/manifest": reads("none"),
  "GET /v1/packages/:id/urls": reads("none"),
  "POST /v1/packages/:id/urls": publishes,
  "DELETE /v1/packages/:id/urls": publishes,
  "DELETE /v1/packages/:id": publishes,
  "GET /v1/packages/:package/devices": reads("limits"),

  // The source sends requests to web sites for them.
  "GET /v1/publications": publishes,
  "POST /v1/publications": publishes,
  "GET /v1/publications/:id": publishes,
  "DELETE /v1/publications/:id": publishes,

  "GET /v1/tasks": reads("limits"),
  "POST /v1/tasks": operates("limits"),
  "POST /v1/tasks/dry-run": operates("limits"),
  "GET /v1/tasks/:id": reads("limits"),
  "GET /v1/tasks/:id/subnets": reads("limits"),
  "GET /v1/tasks/:id/devices": reads("limits"),
  "GET /v1/tasks/:id/history": reads("limits"),
  "GET /v1/tasks/:id/wakes": reads("limits"),
  "PATCH /v1/tasks/:id": operates("limits"),
  "POST /v1/tasks/:id/dry-run": operates("limits"),
  "POST /v1/tasks/:id/pause": operates("limits"),
  "POST /v1/tasks/:id/resume": operates("limits"),
  "POST /v1/tasks/:id/start-now": operates("limits"),
  "POST /v1/tasks/:id/cancel": operates("limits"),
  "POST /v1/tasks/:id/kill": operates("limits"),
  "POST /v1/tasks/:id/retry": operates("limits"),
  "DELETE /v1/tasks/:id": operates("limits"),

  "GET /v1/devices": reads("limits"),
  "GET /v1/devices/:device": reads("limits"),
  "GET /v1/devices/:device/tasks": reads("limits"),
  "GET /v1/devices/:device/history": reads("limits"),
  "GET /v1/devices/:device/cache": reads("limits"),
  // Lines of a log have more than states: names of files, addresses, output of commands.
  "GET /v1/devices/:device/log": operates("limits"),
  "POST /v1/devices/:device/log": operates("limits"),
  // A name decides about the targets of others.
  "PATCH /v1/devices/:device": operates("refuses"),
  "POST /v1/devices/:device/approve": operates("refuses"),
  "DELETE /v1/devices/:device": operates("limits"),

  "GET /v1/targets/check": reads("limits"),
  "POST /v1/tags": operates("limits"),
  "GET /v1/groups": reads("limits"),
  "PUT /v1/groups/:name": operates("refuses"),
  "DELETE /v1/groups/:name": operates("refuses"),
  "GET /v1/sites": reads("limits"),
  "PUT /v1/sites/:name": operates("refuses"),
  "PATCH /v1/sites/:name": operates("refuses"),
  "DELETE /v1/sites/:name": operates("refuses"),
  "GET /v1/subnets": reads("limits"),
  "PATCH /v1/subnets/:id": operates("refuses"),
  "POST /v1/subnets/:id/split": operates("refuses"),
  "GET /v1/reports/wan": reads("refuses"),
  "GET /v1/events": reads("limits"),
  "GET /v1/overview": reads("refuses"),

  "GET /v1/settings": reads("refuses"),
  "POST /v1/settings": administrates,
  "GET /v1/settings/:name": reads("refuses"),
  "PATCH /v1/settings/:name": administrates,
  "DELETE /v1/settings/:name": administrates,
  "GET /v1/settings/:name/versions": reads("refuses"),
  "POST /v1/settings/:name/revert": administrates,
  "POST /v1/settings/:name/rename": administrates,
  "GET /v1/setting-assignments": reads("refuses"),
  "PUT /v1/setting-assignments": administrates,
  "DELETE /v1/setting-assignments": administrates,

  "GET /v1/tokens": administrates,
  "POST /v1/tokens": administrates,
  "DELETE /v1/tokens/:token": administrates,
  "GET /v1/set-up": anyone,
  "POST /v1/set-up": anyone,
  "POST /v1/users/:name/sign-in-link": administrates,
  "POST /v1/sign-in/link": anyone,
  "GET /v1/sign-in": anyone,
  "GET /v1/sign-in/provider": anyone,
  "GET /v1/sign-in/provider/callback": anyone,
  "POST /v1/session": anyone,
  "GET /v1/session": reads("none"),
  "DELETE /v1/session": reads("none"),
  "PUT /v1/session/password": reads("none"),
  "GET /v1/users": administrates,
  "POST /v1/users": administrates,
  "PATCH /v1/users/:name": administrates,
  "DELETE /v1/users/:name": administrates,
  "PUT /v1/users/:name/password": administrates,
  "GET /v1/single-sign-on": administrates,
  "PUT /v1/single-sign-on": administrates,
  "DELETE /v1/single-sign-on": administrates,

  "GET /v1/webhooks": administrates,
  "POST /v1/webhooks": administrates,
  "DELETE /v1/webhooks/:webhook": administrates,
  "POST /v1/webhooks/:webhook/test": administrates,

  "GET /v1/audit": administrates,
  "GET /v1/audit/verification": administrates,
  "GET /v1/audit/export": administrates,

  "GET /v1/trust": reads("none"),
  "POST /v1/trust/files": administrates,
  "GET /v1/trust/needed": reads("refuses"),
  "GET /v1/trust/order": reads("refuses"),
  // The signature decides, and not the person who brings it.
  "POST /v1/trust/orders": by("none", "operator", "administrator"),
  "POST /v1/trust/freshness": by("none", "operator", "administrator"),

  "POST /v1/backup": administrates,
  "GET /v1/source/address": reads("none"),
  "PUT /v1/source/address": administrates,
} as const satisfies Record<string, Permission>;

export const permissions: ReadonlyMap<string, Permission> = new Map(Object.entries(table));

/** Returns the name of a route in the table. HEAD is answered as GET. */
export const routeName = (method: string, path: string): string =>
  `${method === "HEAD" ? "GET" : method} ${path}`;
