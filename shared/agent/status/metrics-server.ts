/**
 * `--metrics HOST:PORT`: serves the agent's metrics to every user of the machine, for Prometheus.
 * Off unless requested, and on loopback only. Web pages are refused: their name can be made to lead
 * to loopback (DNS rebinding), so the Host header has to be a name or an address of loopback.
 */
import type { Logger } from "../../log.ts";
import type { AgentMetrics } from "./metrics.ts";

export type MetricsAddress = { readonly host: string; readonly port: number };

/** Names of this machine's loopback, as a URL has them. */
const loopback = String.raw`localhost|127(?:\.\d{1,3}){3}|\[::1\]`;

/** @throws Error that quotes the text */
export function parseMetricsAddress(text: string): MetricsAddress {
  const match = new RegExp(`^(${loopback}):(\\d{1,5})$`, "i").exec(text);
  if (match === null || Number(match[2]) > 65_535)
    throw new Error(
      `--metrics "${text}" is not a loopback address with a port: write for example 127.0.0.1:9767; ` +
        "for a Prometheus on another machine put a proxy with access control before it",
    );
  return { host: match[1]!.replace(/^\[|\]$/g, ""), port: Number(match[2]) };
}

/** Serves `/metrics` until it is stopped. Null if the port cannot be used, which is logged. */
export function serveMetrics(
  { host, port }: MetricsAddress,
  metrics: AgentMetrics,
  log: Logger,
): Bun.Server<undefined> | null {
  try {
    const server = Bun.serve({
      hostname: host,
      port,
      fetch: (request) => {
        const refused = refusal(request);
        if (refused !== null) return refused;
        if (URL.parse(request.url)?.pathname === "/metrics") return metricsPage(metrics);
        return new Response("No such page: ask for /metrics\n", { status: 404 });
      },
    });
    log.info({ metrics: `${server.url.origin}/metrics` }, "metrics are served");
    return server;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log.error({ error: reason }, `metrics are not served: ${host}:${port} cannot be used`);
    return null;
  }
}

export const metricsPage = async ({ registry }: AgentMetrics): Promise<Response> =>
  new Response(await registry.metrics(), { headers: { "content-type": registry.contentType } });

/** Returns the answer to a request that a web page made; null if none did. */
export function refusal({ headers }: Request): Response | null {
  const isLocal = new RegExp(`^(${loopback})(:\\d{1,5})?$`, "i").test(headers.get("host") ?? "");
  if (isLocal && headers.get("origin") === null) return null;
  return new Response("Not for web pages: ask with the address of loopback\n", { status: 403 });
}
