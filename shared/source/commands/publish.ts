/**
 * Command `publish`: digests a file, a folder or a URL, signs the manifest and uploads the bytes
 * that the source lacks. Publishing the same content again prints the same package id and uploads
 * nothing.
 */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { commandFileName, readCommandFile } from "../publishing/command-file.ts";
import {
  digestPath,
  digestUrl,
  type Digested,
  type DigestedUrl,
  type DigestOptions,
} from "../publishing/digest-files.ts";
import { chunkSizeBefore } from "../../model/chunk-size-before.ts";
import type { Manifest } from "../../model/manifest.ts";
import type { NamedCommand } from "../../model/package-command.ts";
import { packageUrlProblem, type PackageUrl } from "../../model/package-url.ts";
import { signed } from "../../model/signing.ts";
import { loadOrCreatePublisherKey } from "../publishing/publisher-key.ts";
import { formatSize } from "../../model/quantity.ts";
import { CommandError } from "./command-error.ts";
import { connect, type JsonOptions } from "./connect.ts";
import { print, printJson } from "./print.ts";
import { printNote, showStatusLine } from "../../standard-output.ts";
import { drawsOn } from "../../terminal.ts";

type PublishOptions = JsonOptions & {
  readonly name: string;
  readonly version: string;
  readonly url?: readonly string[] | undefined;
  readonly commands?: string | undefined;
  readonly key?: string | undefined;
};

const isUrl = (text: string): boolean => /^[a-z][a-z0-9+.-]+:\/\//i.test(text);

/** Returns the file of the publisher's key that `publish` uses without `--key`. */
export const defaultKeyFile = (): string =>
  process.env["FLOCKCAST_PUBLISHER_KEY"] || join(homedir(), ".config", "flockcast", "publisher.key");

export async function publish(what: string, options: PublishOptions): Promise<void> {
  if (isUrl(what) && options.url !== undefined) {
    throw new CommandError(
      "--url is the address from which devices download a local file: leave it out to publish a URL",
      2,
    );
  }
  if (!isUrl(what) && !(await stat(what).catch(() => null))) {
    throw new CommandError(`Cannot publish "${what}": there is no such file or folder`);
  }
  const client = await connect(options);
  // Tests the token first, so that a wrong one is not reported after an hour of reading.
  const packages = await client.packages();
  const urls = await urlsFor(what, options);
  const { manifest, bytes } = await digest(what, {
    name: options.name,
    version: options.version,
    commands: await commandsOf(what, options.commands),
    chunkSizeBytesBefore: chunkSizeBefore(packages, options),
    onProgress: digestingStatus,
  });
  const key = await loadOrCreatePublisherKey(options.key ?? defaultKeyFile());
  const { packageId, contentNeeded } = await client.publish(signed(bytes, key), urls);
  if (contentNeeded) await client.putContent(packageId, await contentOf(what, manifest));
  clearStatus();
  if (options.json) printJson({ packageId, name: manifest.name, version: manifest.version });
  else print(packageId);
}

async function digest(what: string, options: DigestOptions): Promise<Digested> {
  if (!isUrl(what)) return digestPath(what, options);
  const digested = await digestUrl(what, options);
  note(digested);
  return digested;
}

/** Reads the named file of commands, or the one in the root of the folder. */
async function commandsOf(what: string, file: string | undefined): Promise<NamedCommand[]> {
  if (file !== undefined) return readCommandFile(file);
  if (isUrl(what)) return [];
  const inRoot = join(what, commandFileName);
  return (await stat(inRoot).catch(() => null)) ? readCommandFile(inRoot) : [];
}

/** Prints what the web site sent, because it may be another page than the one that was meant. */
function note({ manifest, content }: DigestedUrl): void {
  const path = manifest.files[0]!.path;
  const type = content.type || "no media type";
  clearStatus();
  printNote(
    `file ${JSON.stringify(path)}, ${formatSize(manifest.sizeBytes)}, ${type}, from ${content.lastUrl}`,
  );
  if (/^(text\/html|application\/xhtml)/.test(content.type))
    printNote("warning: this is a web page: check the address if another file was meant");
  if (!content.isEndProven)
    printNote(
      "warning: the web site did not state the length, and a connection that broke off looks like the end: compare the size",
    );
}

async function urlsFor(what: string, options: PublishOptions): Promise<PackageUrl[]> {
  if (isUrl(what)) return [{ url: what, layout: "file" }];
  const isFolder = (await stat(what).catch(() => null))?.isDirectory() ?? false;
  const urls = options.url ?? [];
  for (const url of urls) {
    const problem = packageUrlProblem(url);
    if (problem) throw new CommandError(`The URL of the package cannot be used: ${problem}`);
  }
  return urls.map((url) => ({ url, layout: isFolder ? "folder" : "file" }));
}

/** Returns the virtual stream of the package: its files in manifest order, one after the other. */
async function contentOf(path: string, manifest: Manifest): Promise<ReadableStream<Uint8Array>> {
  const folder = (await stat(path)).isDirectory();
  async function* bytes(): AsyncGenerator<Uint8Array> {
    let sentBytes = 0;
    for (const file of manifest.files) {
      const stream = createReadStream(folder ? join(path, file.path) : path, { highWaterMark: 1_048_576 });
      for await (const piece of stream as AsyncIterable<Uint8Array>) {
        yield piece;
        sentBytes += piece.length;
        status("uploading", sentBytes, manifest.sizeBytes);
      }
    }
  }
  return streamOf(bytes());
}

function streamOf(bytes: AsyncGenerator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await bytes.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await bytes.return(undefined);
      },
    },
    { highWaterMark: 0 },
  );
}

let statusShownAtMs = 0;
const digestingStatus = (doneBytes: number, totalBytes: number | null): void =>
  status("digesting", doneBytes, totalBytes);

/** Shows one status line on a terminal, at most five times a second. */
function status(doing: string, doneBytes: number, totalBytes: number | null): void {
  if (!drawsOn(process.stderr) || Date.now() - statusShownAtMs < 200) return;
  statusShownAtMs = Date.now();
  const of = totalBytes === null ? "" : ` of ${formatSize(totalBytes)}`;
  showStatusLine(`${doing} ${formatSize(doneBytes)}${of}`);
}

function clearStatus(): void {
  if (drawsOn(process.stderr) && statusShownAtMs > 0) showStatusLine("");
}
