/**
 * Listening port for machines that start from the network: the boot files over plain HTTP, as
 * iPXE of distributions has no TLS. No other path has an answer, and the port shares nothing with the API.
 *
 * The names are a fixed list, so an ISO with a token in the same folder is not served. The script
 * names the other files relatively: machines fetch them from the address by which they asked.
 */
import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Counter } from "prom-client";
import type { Logger } from "../../log.ts";
import { localUrl, type Listen } from "../listen.ts";
import { partAnswer, wantedBytes } from "../range.ts";
import { stopServers } from "../stop-servers.ts";
import { bootFileNames, bootFiles } from "./boot-files.ts";

/** A machine whose network fails in the middle of a file holds its connection for this time. */
const idleSeconds = 60;

/** `folder`: null for the one in the data folder. */
export type BootPlace = { readonly listen: Listen; readonly folder: string | null };
export type BootListener = { readonly url: string; stop(drainMs: number): Promise<void> };

type BootOptions = {
  readonly listen: Listen;
  readonly folder: string;
  readonly requests: Counter<"file" | "status">;
  readonly log: Logger;
};

/** @throws Error that names the folder or file that is missing, and what to do */
export async function checkBootFolder(folder: string): Promise<void> {
  const hint =
    "make the boot files with `bun run image -- --source URL --out DIR`, and name DIR as --boot-dir";
  const found = await stat(folder).catch(() => null);
  if (found === null || !found.isDirectory())
    throw new Error(`The folder of the boot files "${resolve(folder)}" does not exist: ${hint}`);
  for (const name of bootFileNames)
    if ((await fileOf(folder, name)) === null)
      throw new Error(`The folder "${resolve(folder)}" has no file "${name}": ${hint}`);
}

async function fileOf(folder: string, name: string) {
  const found = await stat(join(folder, name)).catch(() => null);
  return found !== null && found.isFile() && found.size > 0 ? found : null;
}

/** @throws Error that names the address, and what to do */
export function openBootListener(options: BootOptions): BootListener {
  const { listen, folder, log } = options;
  let server: Bun.Server<undefined>;
  try {
    server = Bun.serve({
      hostname: listen.host,
      port: listen.port,
      idleTimeout: idleSeconds,
      maxRequestBodySize: 0,
      fetch: (request, one) => answer(options, request, one.requestIP(request)?.address ?? ""),
    });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "EADDRINUSE" ? "another program uses this port; choose another one" : message;
    throw new Error(`Cannot serve the boot files on ${listen.host}:${listen.port}: ${why} (--boot-listen)`, {
      cause: error,
    });
  }
  const url = localUrl(listen.host, server.port ?? 0, false);
  log.info({ url: `${url}/${bootFiles.script}`, folder: resolve(folder) }, "serving boot files");
  return { url, stop: (drainMs) => stopServers([server], drainMs) };
}

async function answer(options: BootOptions, request: Request, address: string): Promise<Response> {
  const name = new URL(request.url).pathname.slice(1);
  const isKnown = bootFileNames.includes(name);
  const response = isKnown
    ? await fileAnswer(options.folder, name, request)
    : words(404, `This port serves ${bootFileNames.join(", ")}`);
  options.requests.inc({ file: isKnown ? name : "other", status: String(response.status) });
  // A scan of the port would fill the log: only requests for a file are logged.
  if (isKnown) options.log.info({ address, file: name, status: response.status }, "boot file requested");
  return response;
}

async function fileAnswer(folder: string, name: string, request: Request): Promise<Response> {
  if (request.method !== "GET" && request.method !== "HEAD")
    return words(405, "Boot files can be read only", { allow: "GET, HEAD" });
  const found = await fileOf(folder, name);
  if (found === null) return words(404, `${name} is missing: make the boot files again`);
  const etag = `"${found.size}-${Math.trunc(found.mtimeMs)}"`;
  const { headers: asked } = request;
  const wanted = wantedBytes(
    asked.get("range") ?? undefined,
    asked.get("if-range") ?? undefined,
    etag,
    found.size,
  );
  const headers = {
    "accept-ranges": "bytes",
    "content-type": name === bootFiles.script ? "text/plain; charset=utf-8" : "application/octet-stream",
    "x-content-type-options": "nosniff",
    // The files may be made again, and all three belong together.
    "cache-control": "no-cache",
    etag,
  };
  if (wanted.kind === "unsatisfiable")
    return words(416, "The file is shorter", { ...headers, "content-range": `bytes */${found.size}` });
  const { start, end, status, headers: ofPart } = partAnswer(wanted, found.size);
  const body = request.method === "HEAD" ? null : Bun.file(join(folder, name)).slice(start, end);
  return new Response(body, { status, headers: { ...headers, ...ofPart } });
}

const words = (status: number, text: string, headers: Record<string, string> = {}): Response =>
  new Response(`${text}\n`, { status, headers: { ...headers, "content-type": "text/plain; charset=utf-8" } });
