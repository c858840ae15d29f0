/**
 * Second listening port of a source with TLS: the console over plain HTTP, for browsers of the
 * source's own machine. No browser knows the certificate that a source issues itself, and every
 * browser takes loopback for a secure context.
 *
 * Only loopback is bound. A page of a foreign site whose name was pointed at loopback (DNS
 * rebinding) is refused by the Host header, and devices are refused altogether.
 */
import type { Hono } from "hono";
import type { Logger } from "../../log.ts";
import { isLoopback } from "../../model/loopback.ts";
import type { SourceEnv } from "../context.ts";
import { stopServers } from "../stop-servers.ts";

/** Port without an option, and `off`. `isChosen`: a person named the port. */
export type ConsolePort = { readonly port: number; readonly isChosen: boolean } | null;
export const consolePortDefault = 7_444;

/** IPv6 first would leave a machine without it without a console. */
const addresses = ["127.0.0.1", "::1"] as const;
const idleSeconds = 120;
/** Names of loopback that no DNS answers for. */
const ownHosts: ReadonlySet<string> = new Set(["127.0.0.1", "localhost", "[::1]"]);
/** Paths of devices: their credentials and keys belong to connections that they can verify. */
const devicePath = /^\/v1\/(agent\/|identity$)/;

export type ConsoleListener = { readonly url: string; stop(drainMs: number): Promise<void> };

type ConsoleOptions = {
  readonly app: Hono<SourceEnv>;
  readonly choice: ConsolePort;
  readonly log: Logger;
};

/**
 * Opens the port. Returns null when the console is off, or the port without an option is taken.
 * @throws Error for a port that a person named, and that cannot be used
 */
export function openConsole({ app, choice, log }: ConsoleOptions): ConsoleListener | null {
  if (choice === null) return null;
  const servers: Bun.Server<undefined>[] = [];
  for (const hostname of addresses) {
    try {
      servers.push(serve(app, hostname, servers[0]?.port ?? choice.port));
    } catch (error) {
      // A machine may have no IPv6.
      if (servers.length > 0) continue;
      const { code, message } = error as NodeJS.ErrnoException;
      const why = code === "EADDRINUSE" ? "another program uses this port" : message;
      const hint = "choose another one with --console-port PORT, or none with --console-port off";
      const text = `Cannot serve the console on ${hostname}:${choice.port}: ${why}; ${hint}`;
      if (choice.isChosen) throw new Error(text, { cause: error });
      log.warn({ port: choice.port }, text);
      return null;
    }
  }
  return {
    url: `http://127.0.0.1:${servers[0]!.port}`,
    stop: (drainMs) => stopServers(servers, drainMs),
  };
}

function serve(app: Hono<SourceEnv>, hostname: string, port: number): Bun.Server<undefined> {
  return Bun.serve({
    hostname,
    port,
    idleTimeout: idleSeconds,
    // Packages have any size; the routes limit every other body.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    fetch(request, server) {
      const remoteAddress = server.requestIP(request)?.address ?? "";
      return (
        refusalOf(request, remoteAddress) ??
        app.fetch(request, {
          remoteAddress,
          isSecure: false,
          isConsole: true,
          tlsSpki: null,
          allowIdle: (seconds: number) => server.timeout(request, seconds),
        })
      );
    },
  });
}

/** Returns the answer to a request that does not belong here. */
export function refusalOf(request: Request, remoteAddress: string): Response | null {
  const { pathname } = new URL(request.url);
  if (!isLoopback(remoteAddress) || !isOwnHost(request.headers.get("host") ?? ""))
    return refusal(
      421,
      "This port is for browsers of the source's own machine",
      "open the console as http://127.0.0.1 or http://localhost with the port, and elsewhere by the https address",
    );
  if (devicePath.test(pathname))
    return refusal(
      421,
      "This port is for people in a browser",
      "devices use the https address of the source",
    );
  return null;
}

/** Any port: a tunnel, such as that of ssh, has its own one. */
const isOwnHost = (host: string): boolean => ownHosts.has(host.toLowerCase().replace(/:\d{1,5}$/, ""));

const refusal = (status: number, error: string, hint: string): Response =>
  Response.json({ error, hint }, { status, headers: { "cache-control": "no-store" } });
