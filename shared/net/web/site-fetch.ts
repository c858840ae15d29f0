/** A fetch over connections of the caller's choice: the part of fetch that this program uses. */

export type SiteFetchInit = {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | Blob | ReadableStream<Uint8Array> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Whether the answer may be compressed; its body is then decompressed. Default: true. */
  readonly decompress?: boolean;
};

/** Returns the answer, also a redirect. Sets no time limit. */
export type SiteFetch = (url: string, init: SiteFetchInit) => Promise<Response>;
