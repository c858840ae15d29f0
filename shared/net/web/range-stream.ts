/**
 * One HTTP answer, read as a stream from a known place of a resource.
 *
 * Opening follows redirects by itself, so that the source's credential never leaves the source. Proxies come from
 * HTTP_PROXY, HTTPS_PROXY and NO_PROXY: Bun's fetch reads them. A silent site is aborted after `stallMs`; time spent
 * waiting for the disk or for the rate does not count as silence, because the clock runs during reads only.
 */
import { pinnedTls } from "./pinned-tls.ts";
import { freeBuffer } from "../../model/free-buffer.ts";
import { mayReuseConnections } from "./connection-pool.ts";
import type { ContentLocation } from "./locate.ts";
import { ifRangeValue, readRangeAnswer, type RangeAnswer, type RangeValidator } from "./range-answer.ts";
import { connectionProblem, redactUrl, WebProblem } from "./problem.ts";

const redirectsMax = 10;
/** How long the end of a body may take after its last byte. */
const endMs = 1_000;

export type RangeRequest = {
  readonly location: ContentLocation;
  /** These two are for the origin of `location.url` and go nowhere else. */
  readonly headers: Readonly<Record<string, string>>;
  readonly ca: string | undefined;
  readonly validator: RangeValidator | null;
  /** False for a site that is known to ignore Range. */
  readonly useRange: boolean;
  readonly useIfRange: boolean;
  /** After wrong bytes: a cache on the way may hold them. */
  readonly pastCaches: boolean;
  readonly stallMs: number;
  readonly signal: AbortSignal;
};

type BodyReader = { read(): Promise<{ done: boolean; value?: Uint8Array | undefined }> };

export class RangeStream {
  readonly url: string;
  readonly answer: RangeAnswer;
  /** Place in the resource of the next byte that `read` gives. */
  position: number;
  readonly #reader: BodyReader | null;
  readonly #stallMs: number;
  readonly #abort: AbortController;
  /** What came last off the network, and what of it was not read yet. */
  #part: Uint8Array = new Uint8Array(0);
  #rest: Uint8Array = this.#part;

  constructor(url: string, answer: RangeAnswer, response: Response, stallMs: number, abort: AbortController) {
    this.url = url;
    this.answer = answer;
    this.position = answer.position;
    this.#reader = response.body?.getReader() ?? null;
    this.#stallMs = stallMs;
    this.#abort = abort;
  }

  /**
   * The next bytes, at most `max`, good until the next call; null at the end of the body. `onBytes` hears what came off the network, once.
   * @throws WanProblem when the connection breaks or is silent too long.
   */
  async read(max: number, onBytes: (count: number) => void): Promise<Uint8Array | null> {
    if (this.#rest.length === 0) {
      freeBuffer(this.#part);
      const next =
        this.#reader && (await withinStall(this.#reader.read(), this.url, this.#stallMs, this.#abort));
      if (!next?.value) return null;
      this.#part = next.value;
      this.#rest = next.value;
      onBytes(next.value.length);
    }
    const bytes = this.#rest.subarray(0, max);
    this.#rest = this.#rest.subarray(bytes.length);
    this.position += bytes.length;
    return bytes;
  }

  /** Bytes that came off the network and were not read yet. */
  get hasRest(): boolean {
    return this.#rest.length > 0;
  }

  /** After the last byte: takes note of the end, so that the connection serves the next request. */
  async finish(): Promise<void> {
    const waitMsMax = Math.min(this.#stallMs, endMs);
    const next = this.#reader && withinStall(this.#reader.read(), this.url, waitMsMax, this.#abort);
    await next?.catch(() => {});
    this.close();
  }

  close(): void {
    this.#abort.abort();
  }
}

/** @throws WanProblem */
export async function openRangeStream(request: RangeRequest): Promise<RangeStream> {
  const { location, validator } = request;
  // The whole of it is asked for without Range: caches on the way keep whole answers.
  const whole = location.start === 0 && location.end === location.sizeBytes;
  const rangeSent = request.useRange && !whole;
  const ifRange = rangeSent && request.useIfRange && validator ? ifRangeValue(validator) : null;
  const headers: Record<string, string> = { "accept-encoding": "identity" };
  if (rangeSent) headers["range"] = `bytes=${location.start}-${location.end - 1}`;
  if (ifRange !== null) headers["if-range"] = ifRange;
  if (request.pastCaches) headers["cache-control"] = "no-cache";
  const abort = new AbortController();
  const stop = (): void => abort.abort(request.signal.reason);
  request.signal.addEventListener("abort", stop, { once: true });
  if (request.signal.aborted) stop();
  abort.signal.addEventListener("abort", () => request.signal.removeEventListener("abort", stop), {
    once: true,
  });
  try {
    const response = await follow(request, headers, abort);
    const asked = { ...location, rangeSent, validator, ifRangeSent: ifRange !== null };
    const answer = readRangeAnswer(response, asked, Date.now());
    return new RangeStream(location.url, answer, response, request.stallMs, abort);
  } catch (error) {
    abort.abort();
    request.signal.throwIfAborted();
    throw connectionProblem(error, location.url);
  }
}

async function follow(
  request: RangeRequest,
  own: Record<string, string>,
  abort: AbortController,
): Promise<Response> {
  const home = new URL(request.location.url).origin;
  let url = request.location.url;
  // Once it was sent elsewhere, a redirect back is somebody else's wish: the credential stays away.
  let atHome = true;
  for (let redirects = 0; redirects <= redirectsMax; redirects++) {
    atHome &&= new URL(url).origin === home;
    const response = await withinStall(
      fetch(url, {
        headers: atHome ? { ...request.headers, ...own } : own,
        redirect: "manual",
        decompress: false,
        keepalive: mayReuseConnections(),
        signal: abort.signal,
        // Bun's own limit is five minutes; ours is stallMs.
        timeout: false,
        ...(atHome && request.ca !== undefined && { tls: pinnedTls(request.ca) }),
      }),
      url,
      request.stallMs,
      abort,
    );
    if (![301, 302, 303, 307, 308].includes(response.status)) return response;
    await response.body?.cancel().catch(() => {});
    url = redirectTarget(url, response.headers.get("location"));
  }
  throw new WebProblem(
    "final",
    `${redactUrl(request.location.url)} redirects more than ${redirectsMax} times, at last to ${redactUrl(url)}: correct the web site`,
  );
}

function redirectTarget(from: string, location: string | null): string {
  // Headers arrive as Latin-1; web sites write UTF-8.
  const target = location === null ? null : URL.parse(Buffer.from(location, "latin1").toString("utf8"), from);
  if (target && (target.protocol === "http:" || target.protocol === "https:")) return target.href;
  throw new WebProblem(
    "final",
    `${redactUrl(from)} redirects to "${location ?? ""}", which is no web address`,
  );
}

/** Awaits a step of the transfer, and aborts it when the site says nothing for `stallMs`. */
async function withinStall<T>(
  step: Promise<T>,
  url: string,
  stallMs: number,
  abort: AbortController,
): Promise<T> {
  const stalled = new WebProblem(
    "again",
    `${redactUrl(url)} sent nothing for ${stallMs} ms: check the web site and the line`,
  );
  let isStalled = false;
  const timer = setTimeout(() => {
    isStalled = true;
    abort.abort(stalled);
  }, stallMs);
  try {
    return await step;
  } catch (error) {
    if (isStalled) throw stalled;
    throw connectionProblem(error, url);
  } finally {
    clearTimeout(timer);
  }
}
