/**
 * One HTTP answer, read as a stream from a known position of a resource.
 *
 * A request is aborted after `stallMs` without data. The timer runs during reads only, so waits for
 * the disk or the rate limit do not count.
 */
import { freeBuffer } from "../../model/free-buffer.ts";
import { ifRangeValue, readRangeAnswer, type RangeAnswer, type RangeQuery } from "./range-answer.ts";
import { connectionProblem, WebProblem, withIssuer } from "./problem.ts";
import { requestSite, withinStall } from "./request.ts";
import type { RangeRequest, WebStream } from "./web.ts";

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
    const { response, url } = await requestSite({
      url: location.url,
      originHeaders: request.headers,
      headers,
      originFetch: request.originFetch,
      stallMs: request.stallMs,
      abort,
    });
    const asked = { ...location, rangeSent, validator, ifRangeSent: ifRange !== null, lastUrl: url };
    const answer = await usableAnswer(response, asked);
    return new RangeStream(location.url, answer, response, request.stallMs, abort);
  } catch (error) {
    abort.abort();
    request.signal.throwIfAborted();
    throw await withIssuer(connectionProblem(error, location.url), location.url);
  }
}

/** @throws WebProblem with the bytes that arrived in vain */
async function usableAnswer(response: Response, asked: RangeQuery): Promise<RangeAnswer> {
  try {
    return readRangeAnswer(response, asked, Date.now());
  } catch (error) {
    if (error instanceof WebProblem) error.receivedBytes = await receivedBytes(response);
    throw error;
  }
}

/** Time for which the body of a refused answer is read, to count what had arrived. */
const refusedReadMs = 20;

/** Returns the number of body bytes that this program has received of a refused answer. */
async function receivedBytes({ body }: Response): Promise<number> {
  const first = body?.getReader().read();
  const nothing = new Promise<null>((resolve) => setTimeout(() => resolve(null), refusedReadMs));
  const piece = first && (await Promise.race([first.catch(() => null), nothing]));
  return piece?.value?.length ?? 0;
}
