/**
 * Serves the console at the root of the source. The page and its files are public: they contain no
 * data, and everything that they show comes from the API with the person's session.
 */
import { createMiddleware } from "hono/factory";
import type { SourceEnv } from "../context.ts";
import { consoleFiles, type ConsoleFile } from "./console-files.ts";

/** Nothing but files of this source runs or is loaded, and no other site shows the page. */
const contentPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  // Styles contain small images.
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const securityHeaders = {
  "content-security-policy": contentPolicy,
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=(), usb=()",
} as const;

/** Paths of the API, which never name a file of the console. */
const apiPath = /^\/(v1\/|healthz$|metrics$|openapi\.json$)/;

/** Returns a middleware that answers requests for files of the console, and no others. */
export function serveConsole() {
  return createMiddleware<SourceEnv>(async (c, next) => {
    const { method, path } = c.req;
    if ((method !== "GET" && method !== "HEAD") || apiPath.test(path)) return next();
    const file = (await consoleFiles()).get(path);
    if (file === undefined) return next();
    return answer(file, c.req.raw.headers);
  });
}

function answer(file: ConsoleFile, headers: Headers): Response {
  const isKnown = headers.get("if-none-match")?.includes(file.etag) === true;
  const isGzipped = /\bgzip\b/.test(headers.get("accept-encoding") ?? "");
  return new Response(isKnown ? null : isGzipped ? file.gzipped : file.bytes, {
    status: isKnown ? 304 : 200,
    headers: {
      ...securityHeaders,
      "content-type": file.media,
      "cache-control": file.isImmutable ? "public, max-age=31536000, immutable" : "no-cache",
      etag: file.etag,
      vary: "accept-encoding",
      ...(isGzipped && !isKnown ? { "content-encoding": "gzip" } : {}),
    },
  });
}
