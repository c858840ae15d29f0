/** Why a WAN request did not give its bytes: to be tried again later, or not at all. The message is for a person. */
export class WebProblem extends Error {
  override readonly name = "WanProblem";
  /** "again": later it may work. "changed": at once, without If-Range. "final": only a person can mend it. */
  readonly remedy: "again" | "changed" | "final";
  /** What the web site asked for with Retry-After. */
  readonly retryAfterMs: number | null;

  constructor(
    remedy: WebProblem["remedy"],
    message: string,
    retryAfterMs: number | null = null,
    cause?: unknown,
  ) {
    super(message, { cause });
    this.remedy = remedy;
    this.retryAfterMs = retryAfterMs;
  }
}

/** A URL as it may stand in a log: no credentials, and no query, where signed URLs keep theirs. */
export function redactUrl(url: string): string {
  const parsed = URL.parse(url);
  if (!parsed) return "the web site";
  return `${parsed.origin}${parsed.pathname}${parsed.search ? "?…" : ""}`;
}

const certificateCode = /CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO_|HOSTNAME/;

/** What fetch threw, said in words. Bun's own text is meant for developers. */
export function connectionProblem(error: unknown, url: string): WebProblem {
  if (error instanceof WebProblem) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const where = redactUrl(url);
  if (certificateCode.test(code)) {
    return new WebProblem(
      "final",
      `the certificate of ${where} is not trusted (${code}): name its authority's PEM file in NODE_EXTRA_CA_CERTS of the agent, or correct the web site`,
      null,
      error,
    );
  }
  const words: Record<string, string> = {
    ECONNRESET: `the connection to ${where} was closed early: check the web site, or a proxy or firewall on the way`,
    ConnectionClosed: `the connection to ${where} was closed early: check the web site, or a proxy or firewall on the way`,
    ECONNREFUSED: `${where} refuses connections: check that the web site (or the proxy) runs`,
    ConnectionRefused: `${where} refuses connections: check that the web site (or the proxy) runs`,
    ENOTFOUND: `the name of ${where} cannot be resolved: check the URL and this device's DNS`,
    ETIMEDOUT: `${where} cannot be reached in time: check the network and the firewall`,
  };
  const message = error instanceof Error ? error.message : String(error);
  return new WebProblem("again", words[code] ?? `cannot fetch ${where} (${code || message})`, null, error);
}
