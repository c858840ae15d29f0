/**
 * Cookie of a session, and the checks that a browser's request needs because of it: a browser adds
 * the cookie to requests of foreign pages too, so a cookie alone proves nothing.
 *
 * Not every browser keeps a `__Host-` cookie of plain HTTP on loopback (Chromium 156 does).
 * Connections on loopback therefore use another name; elsewhere nobody can sign in without TLS.
 */
import type { Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { ApiError } from "../api-error.ts";
import type { SourceEnv } from "../context.ts";
import { isLoopback } from "../../model/loopback.ts";
import { sessionMsMax } from "./session-life.ts";

type Request = Context<SourceEnv>;
/** How the cookie is protected: by TLS, or because the connection does not leave the machine. */
type Channel = "tls" | "loopback";

const cookieName = "flockcast";

/** Returns null for a connection that others can read. */
function channelOf(c: Request): Channel | null {
  if (c.env.isSecure ?? c.env.tlsSpki !== null) return "tls";
  const { hostname } = new URL(c.req.url);
  return isLoopback(hostname) && isLoopback(c.env.remoteAddress) ? "loopback" : null;
}

/** Returns whether people may sign in over this connection. */
export const isSafeChannel = (c: Request): boolean => channelOf(c) !== null;

/** @throws ApiError 403 for a connection that others can read */
export function requireSafeChannel(c: Request): Channel {
  const channel = channelOf(c);
  if (channel !== null) return channel;
  throw new ApiError(
    403,
    "Signing in needs TLS: this connection can be read by others",
    "use the https:// address; behind a proxy, see --trusted-proxy and X-Forwarded-Proto",
  );
}

/** `lax`: the browser also sends it when another site leads to this one. */
type CookieUse = { readonly name: string; readonly sameSite: "Strict" | "Lax"; readonly seconds: number };
const sessionCookie: CookieUse = { name: cookieName, sameSite: "Strict", seconds: sessionMsMax / 1_000 };
/** Cookie of a sign-in at the provider, which leads back from another site. */
const pendingCookie: CookieUse = { name: `${cookieName}-sign-in`, sameSite: "Lax", seconds: 600 };

function read(c: Request, { name }: CookieUse): string | null {
  const channel = channelOf(c);
  if (channel === null) return null;
  return (channel === "tls" ? getCookie(c, name, "host") : getCookie(c, name)) ?? null;
}

function write(c: Request, { name, sameSite, seconds }: CookieUse, value: string): void {
  const common = { httpOnly: true, path: "/", sameSite, maxAge: seconds } as const;
  if (requireSafeChannel(c) === "tls") setCookie(c, name, value, { ...common, prefix: "host", secure: true });
  else setCookie(c, name, value, common);
}

function remove(c: Request, { name }: CookieUse): void {
  if (channelOf(c) === "tls") deleteCookie(c, name, { path: "/", secure: true, prefix: "host" });
  else deleteCookie(c, name, { path: "/" });
}

/** Returns the secret of the session; null without a cookie. */
export const sessionSecretIn = (c: Request): string | null => read(c, sessionCookie);
export const setSessionCookie = (c: Request, secret: string): void => write(c, sessionCookie, secret);
export const removeSessionCookie = (c: Request): void => remove(c, sessionCookie);
export const setPendingCookie = (c: Request, sealed: string): void => write(c, pendingCookie, sealed);
export function takePendingCookie(c: Request): string | null {
  const value = read(c, pendingCookie);
  remove(c, pendingCookie);
  return value;
}

/**
 * Whether a page of this source sends the request, as the browser states it:
 * - `own`: yes
 * - `foreign`: another page does
 * - `unknown`: the client states nothing, so it is not a browser of today
 */
export function originOf(c: Request): "own" | "foreign" | "unknown" {
  const site = c.req.header("sec-fetch-site");
  if (site !== undefined) return site === "same-origin" ? "own" : "foreign";
  const origin = c.req.header("origin");
  if (origin === undefined) return "unknown";
  const { host } = new URL(c.req.url);
  const scheme = channelOf(c) === "tls" ? "https" : "http";
  return origin === `${scheme}://${host}` ? "own" : "foreign";
}

const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/** Returns whether a request with a cookie may be carried out. */
export const isOwnRequest = (c: Request): boolean => safeMethods.has(c.req.method) || originOf(c) === "own";
