/**
 * A web site as the download uses it: the port between shared/device/download.ts and HTTP. The agent passes
 * range-stream.ts, the simulator a web site that fails.
 */
import type { ContentLocation } from "./locate.ts";
import type { RangeAnswer, RangeValidator } from "./range-answer.ts";

export type RangeRequest = {
  readonly location: ContentLocation;
  /** Sent to the origin of `location.url` and to no other. */
  readonly headers: Readonly<Record<string, string>>;
  /** PEM of the authority of that origin; undefined: those that the system trusts. */
  readonly ca: string | undefined;
  readonly validator: RangeValidator | null;
  /** False for a site that is known to ignore Range. */
  readonly useRange: boolean;
  readonly useIfRange: boolean;
  /** After wrong bytes: a cache on the path may hold them. */
  readonly pastCaches: boolean;
  /** Silence after which the connection is given up. */
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
   * The next bytes, at most `max`, valid until the next call; null at the end of the body.
   * @param onBytes called with the number of bytes that came off the network, once each
   * @throws WebProblem when the connection breaks or is silent for too long
   */
  read(max: number, onBytes: (count: number) => void): Promise<Uint8Array | null>;
  /** After the last byte: waits for the end of the body, so that the connection can be reused. */
  finish(): Promise<void>;
  close(): void;
};

export type Web = {
  /** @throws WebProblem */
  open(request: RangeRequest): Promise<WebStream>;
};
