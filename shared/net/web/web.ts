/**
 * A web site as a download uses it: a port, for shared/device/download.ts. The agent passes
 * range-stream.ts, the simulator a web site that fails.
 */
import type { ContentLocation } from "./locate.ts";
import type { RangeAnswer, RangeValidator } from "./range-answer.ts";
import type { SiteFetch } from "./site-fetch.ts";

export type RangeRequest = {
  readonly location: ContentLocation;
  /** Sent to the origin of `location.url` and to no other. */
  readonly headers: Readonly<Record<string, string>>;
  /** Sends the requests to that origin; undefined: Bun's fetch does. */
  readonly originFetch: SiteFetch | undefined;
  readonly validator: RangeValidator | null;
  /** False for a site whose ranges are broken. */
  readonly useRange: boolean;
  readonly useIfRange: boolean;
  /** Whether caches on the path are bypassed, because they may hold wrong bytes. */
  readonly pastCaches: boolean;
  /** Time without data after which the request fails. */
  readonly stallMs: number;
  readonly signal: AbortSignal;
};

/** One answer, read from a known position of the resource. */
export type WebStream = {
  readonly url: string;
  readonly answer: RangeAnswer;
  /** Position in the resource of the next byte that `read` returns. */
  readonly position: number;
  /** Whether bytes were received that `read` has not returned yet. */
  readonly hasRest: boolean;
  /**
   * Returns the next bytes, at most `max`, valid until the next call; null at the end of the body.
   * @param onBytes called with the number of bytes received from the network
   * @throws WebProblem when the connection fails or stalls
   */
  read(max: number, onBytes: (count: number) => void): Promise<Uint8Array | null>;
  /** Reads the end of the body after its last byte, so that the connection can be reused. */
  finish(): Promise<void>;
  close(): void;
};

export type Web = {
  /**
   * Sends a request and checks the head of the answer.
   * @throws WebProblem when the request fails or the answer cannot be used
   */
  open(request: RangeRequest): Promise<WebStream>;
};
