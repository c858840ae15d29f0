/** Route of the WAN report: what crossed, and what would have crossed without flockcast. */
import { Hono } from "hono";
import {
  wanReportQuerySchema,
  wanReportSchema,
  type WanReport,
  type WanReportQuery,
} from "../../api/schema/admin.ts";
import { ApiError } from "../api-error.ts";
import { allow } from "../auth.ts";
import type { SourceContext, SourceEnv } from "../context.ts";
import { documented, queryParameters } from "../openapi.ts";

const hourMs = 3_600_000;
/** End of all times in the API. */
const latestMs = 253_402_300_799_999;

export function reportRoutes(context: SourceContext): Hono<SourceEnv> {
  const routes = new Hono<SourceEnv>();
  routes.get(
    "/wan",
    documented({
      summary: "Bytes that crossed the WAN, by site, subnet, package or month; times are whole hours",
      audience: ["admin"],
      answer: wanReportSchema,
    }),
    allow(context),
    queryParameters(wanReportQuerySchema),
    async (c) => c.json(await wanReport(context, c.req.valid("query"))),
  );
  return routes;
}

type Bytes = WanReport["total"];
type Row = WanReport["rows"][number];

async function wanReport(
  { catalog, wan }: SourceContext,
  { by, zone, ...query }: WanReportQuery,
): Promise<WanReport> {
  await wan.flush();
  const range = { sinceMs: Number(query.since ?? 0), untilMs: Number(query.until ?? latestMs) };
  const rows: Row[] =
    by === "month"
      ? byMonth(await catalog.wan.report("hour", range), monthsIn(zone))
      : await catalog.wan.report(by, range);
  return { by, rows, total: rows.reduce(sum, nothing) };
}

const nothing: Bytes = { sourceBytes: 0, webBytes: 0, crossedBytes: 0, directBytes: 0 };

const sum = (a: Bytes, b: Bytes): Bytes => ({
  sourceBytes: a.sourceBytes + b.sourceBytes,
  webBytes: a.webBytes + b.webBytes,
  crossedBytes: a.crossedBytes + b.crossedBytes,
  directBytes: a.directBytes + b.directBytes,
});

function byMonth(hours: readonly Row[], monthOf: (atMs: number) => string): Row[] {
  const months = Map.groupBy(hours, ({ id }) => monthOf(Number(id) * hourMs));
  return [...months]
    .map(([id, rows]) => Object.assign(rows.reduce<Bytes>(sum, nothing), { id, name: id }))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

/** @throws ApiError 400 for an unknown time zone */
function monthsIn(timeZone: string): (atMs: number) => string {
  try {
    // Swedish writes year and month as 2026-03.
    const format = new Intl.DateTimeFormat("sv-SE", { timeZone, year: "numeric", month: "2-digit" });
    return (atMs) => format.format(atMs);
  } catch {
    throw new ApiError(400, `"${timeZone}" is not a time zone`, "write for example Europe/Berlin");
  }
}
