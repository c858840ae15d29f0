import { redactUrl } from "../../model/package-url.ts";

/** A failed WAN request, and whether a retry can help. The message is for a person. */
export class WebProblem extends Error {
  override readonly name = "WebProblem";
  /** "again": retry later. "changed": retry now without If-Range. "final": a person must act. */
  readonly remedy: "again" | "changed" | "final";
  /** Delay that the web site requested with Retry-After. */
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

const certificateCode = /CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO_|HOSTNAME/;

/** Converts an error of fetch into a problem for a person; Bun's own texts are for developers. */
export function connectionProblem(error: unknown, url: string): WebProblem {
  if (error instanceof WebProblem) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const where = redactUrl(url);
  if (certificateCode.test(code)) {
    return new WebProblem(
      "final",
      `the certificate of ${where} is not trusted (${code}): set NODE_EXTRA_CA_CERTS of the agent to the PEM file of its authority, or correct the web site`,
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
