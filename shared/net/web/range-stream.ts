/**
 * One HTTP answer, read as a stream from a known position of a resource.
 *
 * Redirects are followed here and not by fetch, so that the source's credential is sent to the
 * source only. Bun's fetch reads proxies from HTTP_PROXY, HTTPS_PROXY and NO_PROXY. A request is
 * aborted after `stallMs` without data. The timer runs during reads only, so waits for the disk or
 * the rate limit do not count.
 */
import { pinnedTls } from "./pinned-tls.ts";
import { redactUrl } from "../../model/package-url.ts";
import { freeBuffer } from "../../model/free-buffer.ts";
import { mayReuseConnections } from "./connection-pool.ts";
import { ifRangeValue, readRangeAnswer, type RangeAnswer } from "./range-answer.ts";
import { connectionProblem, WebProblem } from "./problem.ts";
import type { RangeRequest, WebStream } from "./web.ts";

const redirectsMax = 10;
/** Upper bound on the wait for the end of a body after its last byte. */
const endMs = 1_000;

type BodyReader = { read(): Promise<{ done: boolean; value?: Uint8Array | undefined }> };

class RangeStream implements WebStream {
  readonly url: string;
  readonly answer: RangeAnswer;
  /** Position in the resource of the next byte that `read` returns. */
  position: number;
  readonly #reader: BodyReader | null;
  readonly #stallMs: number;
  readonly #abort: AbortController;
  /** Last part received from the network; `#unread` is what `read` has not returned of it. */
  #received: Uint8Array = new Uint8Array(0);
  #unread: Uint8Array = this.#received;

  constructor(url: string, answer: RangeAnswer, response: Response, stallMs: number, abort: AbortController) {
    this.url = url;
    this.answer = answer;
    this.position = answer.position;
    this.#reader = response.body?.getReader() ?? null;
    this.#stallMs = stallMs;
    this.#abort = abort;
  }

  /**
   * Returns the next bytes, at most `max`, valid until the next call; null at the end of the body.
   * @param onBytes called once for each part received from the network, with its length
   * @throws WebProblem when the connection fails or stalls
   */
  async read(max: number, onBytes: (count: number) => void): Promise<Uint8Array | null> {
    if (this.#unread.length === 0) {
      freeBuffer(this.#received);
      const next =
        this.#reader && (await withinStall(this.#reader.read(), this.url, this.#stallMs, this.#abort));
      if (!next?.value) return null;
      this.#received = next.value;
      this.#unread = next.value;
      onBytes(next.value.length);
    }
    const bytes = this.#unread.subarray(0, max);
    this.#unread = this.#unread.subarray(bytes.length);
    this.position += bytes.length;
    return bytes;
  }

  /** Whether received bytes are left that `read` has not returned yet. */
  get hasRest(): boolean {
    return this.#unread.length > 0;
  }

  /** Reads the end of the body after its last byte, so that the connection can be reused. */
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

/**
 * Sends the request and checks the head of the answer.
 * @throws WebProblem when the request fails or the answer cannot be used
 * @throws the reason of `request.signal` once it is aborted
 */
export async function openRangeStream(request: RangeRequest): Promise<WebStream> {
  const { location, validator } = request;
  // A whole resource is requested without Range, because caches store whole answers.
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
    const response = await fetchFollowingRedirects(request, headers, abort);
    const asked = { ...location, rangeSent, validator, ifRangeSent: ifRange !== null };
    const answer = readRangeAnswer(response, asked, Date.now());
    return new RangeStream(location.url, answer, response, request.stallMs, abort);
  } catch (error) {
    abort.abort();
    request.signal.throwIfAborted();
    throw connectionProblem(error, location.url);
  }
}

async function fetchFollowingRedirects(
  request: RangeRequest,
  own: Record<string, string>,
  abort: AbortController,
): Promise<Response> {
  const originalOrigin = new URL(request.location.url).origin;
  let url = request.location.url;
  // After a redirect to another origin the credential is not sent again, even to its own origin.
  let hasKeptOrigin = true;
  for (let redirects = 0; redirects <= redirectsMax; redirects++) {
    hasKeptOrigin &&= new URL(url).origin === originalOrigin;
    const response = await withinStall(
      fetch(url, {
        headers: hasKeptOrigin ? { ...request.headers, ...own } : own,
        redirect: "manual",
        decompress: false,
        keepalive: mayReuseConnections(),
        signal: abort.signal,
        // Disables Bun's limit of five minutes, because `stallMs` applies.
        timeout: false,
        ...(hasKeptOrigin && request.ca !== undefined && { tls: pinnedTls(request.ca) }),
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
    `${redactUrl(request.location.url)} redirects more than ${redirectsMax} times, the last time to ${redactUrl(url)}: correct the web site`,
  );
}

function redirectTarget(from: string, location: string | null): string {
  // fetch decodes headers as Latin-1, but web sites send UTF-8.
  const target = location === null ? null : URL.parse(Buffer.from(location, "latin1").toString("utf8"), from);
  if (target && (target.protocol === "http:" || target.protocol === "https:")) return target.href;
  throw new WebProblem(
    "final",
    `${redactUrl(from)} redirects to "${location ?? ""}", which is not a web address`,
  );
}

/** Awaits a step of the transfer; aborts the transfer if it takes longer than `stallMs`. */
async function withinStall<T>(
  step: Promise<T>,
  url: string,
  stallMs: number,
  abort: AbortController,
): Promise<T> {
  const stalled = new WebProblem(
    "again",
    `${redactUrl(url)} sent nothing for ${stallMs} ms: check the web site and the network`,
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
