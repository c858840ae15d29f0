/**
 * Files of the console: page, scripts and styles for the browser, with their content in memory.
 * Hides how they are made. An executable contains them, packed, and a script bundles them once, at
 * the first request.
 */
import { basename, join } from "node:path";
import { ApiError } from "../api-error.ts";
import { packedConsole } from "#packed-console";

export type ConsoleFile = {
  readonly media: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly gzipped: Uint8Array<ArrayBuffer>;
  /** Quoted digest of the content. */
  readonly etag: string;
  /** Whether the name has a digest of the content, so that it never changes. */
  readonly isImmutable: boolean;
};

/** By path below the root of the source: "/" is the page. */
export type ConsoleFiles = ReadonlyMap<string, ConsoleFile>;

const pageName = "index.html";

const mediaByEnd: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
};

const installHint = 'run "bun install" in the folder of the sources, and reload the page';

let loading: Promise<ConsoleFiles> | null = null;

/**
 * Returns the files, which are read or built once. A failed build is repeated at the next call.
 * @throws ApiError 503 with the first message of the bundler
 */
export const consoleFiles = (): Promise<ConsoleFiles> =>
  (loading ??= load().catch((error: unknown) => {
    loading = null;
    throw error;
  }));

async function load(): Promise<ConsoleFiles> {
  const files =
    packedConsole === null
      ? await built()
      : Object.entries(packedConsole).map(([path, text]) => unpacked(path, text));
  return new Map(files);
}

const unpacked = (path: string, text: string): [string, ConsoleFile] => {
  const bytes = Bun.gunzipSync(Buffer.from(text, "base64"));
  return [path, contentOf(path === "/" ? pageName : path, bytes, path !== "/")];
};

async function built(): Promise<[string, ConsoleFile][]> {
  const files = await bundled(join(import.meta.dir, "pages", pageName));
  const entries = files.map(async (file): Promise<[string, ConsoleFile]> => {
    const name = basename(file.path);
    const isPage = name === pageName;
    const bytes = new Uint8Array(await file.arrayBuffer());
    return [isPage ? "/" : `/${name}`, contentOf(name, bytes, !isPage)];
  });
  return Promise.all(entries);
}

/**
 * Bundles sources of pages. Those of forms are files of their own, which are loaded when opened.
 * @param page file of the page
 * @throws ApiError 503 with the first message of the bundler
 */
export async function bundled(page: string): Promise<Bun.BuildArtifact[]> {
  const { outputs } = await Bun.build({
    entrypoints: [page],
    target: "browser",
    minify: true,
    splitting: true,
    publicPath: "/",
  }).catch((error: unknown) => {
    const [first]: unknown[] = error instanceof AggregateError ? error.errors : [error];
    const { message = String(first) } = (first ?? {}) as { message?: string };
    throw new ApiError(503, `The console cannot be built from its sources: ${message}`, installHint);
  });
  return outputs;
}

function contentOf(name: string, bytes: Uint8Array<ArrayBuffer>, isImmutable: boolean): ConsoleFile {
  const media = mediaByEnd[name.slice(name.lastIndexOf(".") + 1)];
  if (media === undefined) throw new Error(`The console has a file of an unknown kind: "${name}"`);
  const etag = `"${new Bun.CryptoHasher("sha256").update(bytes).digest("base64url").slice(0, 22)}"`;
  return { media, bytes, gzipped: Bun.gzipSync(bytes, { level: 9 }), etag, isImmutable };
}
