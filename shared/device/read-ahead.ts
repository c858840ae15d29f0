/**
 * Small files of a folder, requested several at a time before they are needed, so that a download
 * of many files does not wait for the latency of each. Memory: `readAheadMax` files of at most
 * `smallFileBytesMax`. The caller takes the files in the order of the package.
 */
import type { Manifest } from "../model/manifest.ts";
import { locateContent, type ContentLocation, type ContentSite } from "../net/web/locate.ts";
import type { WebStream } from "../net/web/web.ts";

/** Upper bound on requests in flight. */
const readAheadMax = 6;
const smallFileBytesMax = 65_536;

/** Returns the small files that follow each other from `at` on, whole, at most `readAheadMax`. */
export function smallFilesFrom(
  manifest: Manifest,
  site: ContentSite,
  at: number,
  end: number,
): ContentLocation[] {
  const found: ContentLocation[] = [];
  if (site.layout !== "folder") return found;
  for (let offset = at; offset < end && found.length < readAheadMax;) {
    const location = locateContent(manifest, site, offset, end);
    if (!location || location.sizeBytes > smallFileBytesMax) break;
    if (location.start > 0 || location.end < location.sizeBytes) break;
    found.push(location);
    offset += location.sizeBytes;
  }
  return found;
}

type ReadAheadOptions = {
  readonly open: (location: ContentLocation, signal: AbortSignal) => Promise<WebStream>;
  /** Called with the bytes of each part received from the network; the rate limit delays it. */
  readonly onBytes: (count: number) => Promise<void>;
};

export class ReadAhead {
  readonly #options: ReadAheadOptions;
  readonly #files = new Map<string, Promise<WebStream>>();
  #abort = new AbortController();

  constructor(options: ReadAheadOptions) {
    this.#options = options;
  }

  /**
   * Requests files.
   * @param bytesMax bytes in flight that the rate limit allows; the first file is always requested
   */
  request(files: readonly ContentLocation[], bytesMax: number): void {
    let bytes = 0;
    const wanted = new Set(files.map(({ url }) => url));
    // A chunk that came from elsewhere needs its files no more.
    for (const url of this.#files.keys()) if (!wanted.has(url)) this.#files.delete(url);
    for (const file of files) {
      bytes += file.sizeBytes;
      if (this.#files.has(file.url)) continue;
      if (this.#files.size >= readAheadMax || (this.#files.size > 0 && bytes > bytesMax)) return;
      const received = this.#receive(file, this.#abort.signal);
      this.#files.set(file.url, received);
      // A file that failed before it was taken is requested again when it is needed.
      received.catch(() => {
        if (this.#files.get(file.url) === received) this.#files.delete(file.url);
      });
    }
  }

  /**
   * Returns the answer for a requested file, once it has arrived; null if there is none.
   * @throws WebProblem
   */
  async take(url: string): Promise<WebStream | null> {
    const file = this.#files.get(url);
    this.#files.delete(url);
    return file ?? null;
  }

  /** Upper bound on the bytes of requested files that were not taken. */
  get pendingBytes(): number {
    return this.#files.size * smallFileBytesMax;
  }

  /** Ends the requests, and drops what has arrived. */
  clear(): void {
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#files.clear();
  }

  async #receive(file: ContentLocation, signal: AbortSignal): Promise<WebStream> {
    const stream = await this.#options.open(file, signal);
    const parts: Uint8Array[] = [];
    const start = stream.position;
    while (stream.position < stream.answer.end) {
      let received = 0;
      const part = await stream.read(smallFileBytesMax, (count) => (received = count));
      if (part === null) break;
      parts.push(part.slice());
      if (received > 0) await this.#options.onBytes(received);
    }
    await stream.finish();
    return new ReceivedFile(stream, start, Buffer.concat(parts));
  }
}

/** A file that was received before it is read. Its bytes are counted already. */
class ReceivedFile implements WebStream {
  readonly url: string;
  readonly answer: WebStream["answer"];
  position: number;
  #rest: Uint8Array;

  constructor({ url, answer }: WebStream, position: number, bytes: Uint8Array) {
    this.url = url;
    this.answer = answer;
    this.position = position;
    this.#rest = bytes;
  }

  get hasRest(): boolean {
    return this.#rest.length > 0;
  }

  async read(max: number): Promise<Uint8Array | null> {
    if (this.#rest.length === 0) return null;
    const bytes = this.#rest.subarray(0, max);
    this.#rest = this.#rest.subarray(bytes.length);
    this.position += bytes.length;
    return bytes;
  }

  async finish(): Promise<void> {}

  close(): void {}
}
