/**
 * Listening port of the source, whose TLS certificate can be replaced while it runs.
 *
 * `server.reload` of Bun 1.4 keeps the old certificate. The port is therefore closed and opened
 * again with the new one: open connections live on, and a handshake in that moment fails once. Two
 * listeners with SO_REUSEPORT gain nothing (measured), and would let a second source share the port.
 */
import type { Hono } from "hono";
import type { Logger } from "../log.ts";
import { clientAddress, statesTls, type TrustedProxies } from "./client-address.ts";
import type { SourceEnv } from "./context.ts";
import type { Listen, Tls } from "./listen.ts";
import { stopServers } from "./stop-servers.ts";

const idleSeconds = 120;
/** Wait for a port that another program holds, and the attempts between lines of the log. */
const reopenWaitMs = 100;
const loggedAttempts = 50;

const peerOf = (server: Bun.Server<undefined>, request: Request): string =>
  server.requestIP(request)?.address ?? "";

type ListenerOptions = {
  readonly app: Hono<SourceEnv>;
  readonly listen: Listen;
  readonly tls: Tls | undefined;
  readonly trustedProxies: TrustedProxies;
  readonly log: Logger;
};

export class Listener {
  readonly #options: ListenerOptions;
  readonly #port: number;
  #server: Bun.Server<undefined>;
  #tls: Tls | undefined;
  #isStopped = false;

  /** @throws Error that names the port, and what to do */
  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#tls = options.tls;
    const { host, port } = options.listen;
    try {
      this.#server = this.#open(port, options.tls);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const why =
        code === "EADDRINUSE"
          ? "another program uses this port; choose another one, or 0 for a free one"
          : code === "EACCES"
            ? "permission denied; ports below 1024 need privileges"
            : message;
      throw new Error(`Cannot listen on ${host}:${port}: ${why}`, { cause: error });
    }
    this.#port = this.#server.port ?? 0;
  }

  get port(): number {
    return this.#port;
  }

  /**
   * Uses another certificate for later connections.
   * @throws Error for one that cannot be used; the certificate in use then stays
   */
  async replaceTls(tls: Tls): Promise<void> {
    void this.#server.stop();
    try {
      await this.#reopen(tls);
      this.#tls = tls;
    } catch (error) {
      await this.#reopen(this.#tls);
      throw error;
    }
  }

  /** Opens the port again, as soon as no other program holds it. */
  async #reopen(tls: Tls | undefined): Promise<void> {
    for (let attempt = 1; !this.#isStopped; attempt++) {
      try {
        this.#server = this.#open(this.#port, tls);
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
        if (attempt % loggedAttempts === 0)
          this.#options.log.error(
            { port: this.#port },
            "cannot listen with the new certificate: another program holds the port; end that program",
          );
        await Bun.sleep(reopenWaitMs);
      }
    }
  }

  /** Ends the requests after `drainMs`. */
  async stop(drainMs: number): Promise<void> {
    this.#isStopped = true;
    await stopServers([this.#server], drainMs);
  }

  #open(port: number, tls: Tls | undefined): Bun.Server<undefined> {
    const { app, listen, trustedProxies } = this.#options;
    return Bun.serve({
      hostname: listen.host,
      port,
      idleTimeout: idleSeconds,
      // Packages have any size; the routes limit every other body.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      ...(tls === undefined ? {} : { tls: { cert: tls.cert, key: tls.key } }),
      fetch: (request, server) =>
        app.fetch(request, {
          remoteAddress: clientAddress(peerOf(server, request), request.headers, trustedProxies),
          isSecure: tls !== undefined || statesTls(peerOf(server, request), request.headers, trustedProxies),
          tlsSpki: tls?.spki ?? null,
          allowIdle: (seconds: number) => server.timeout(request, seconds),
        }),
    });
  }
}
