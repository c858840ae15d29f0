import { redactUrl } from "../../model/package-url.ts";
import { IdentityError } from "./identity-error.ts";
import { certificateIssuer } from "./certificate-issuer.ts";
import { proxyFor } from "./proxy.ts";

/** A failed WAN request, and whether a retry can help. The message is for a person. */
export class WebProblem extends Error {
  override readonly name = "WebProblem";
  /**
   * "again": retry later. "changed": retry now without If-Range. "whole": retry now without Range,
   * which the site does not serve. "final": a person must act.
   */
  readonly remedy: "again" | "changed" | "whole" | "final";
  /** Delay that the web site requested with Retry-After. */
  readonly retryAfterMs: number | null;
  /** Body bytes that arrived before the answer was refused. */
  receivedBytes = 0;

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

const closedEarly =
  "the connection to WHERE was closed early: check the web site, or a proxy or firewall on the way";
const refused = "WHERE refuses connections: check that the web site (or the proxy) runs";
const noRoute = "no route to WHERE: check this device's network, and the firewall";
/** Words for the codes of fetch; WHERE is the URL. */
const words: Readonly<Record<string, string>> = {
  ECONNRESET: closedEarly,
  ConnectionClosed: closedEarly,
  ECONNREFUSED: refused,
  ConnectionRefused: refused,
  ENOTFOUND: "the name of WHERE cannot be resolved: check the URL and this device's DNS",
  EAI_AGAIN: "no name server answers for WHERE: check this device's DNS",
  ENETUNREACH: noRoute,
  EHOSTUNREACH: noRoute,
  ETIMEDOUT: "WHERE cannot be reached in time: check the network and the firewall",
  EPROTO: "WHERE does not speak TLS: write http:// instead of https://, or correct the port",
  Malformed_HTTP_Response: "WHERE answers with something that is not HTTP, or with too many header lines",
};

/** Converts an error of fetch into a problem for a person; Bun's own texts are for developers. */
export function connectionProblem(error: unknown, url: string): WebProblem {
  if (error instanceof WebProblem) return error;
  // The certificate of the source may be replaced at any time, and its address too.
  if (error instanceof IdentityError) return new WebProblem("again", error.message, null, error);
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const where = redactUrl(url);
  if (code === "UnsupportedProxyProtocol") {
    const proxy = proxyFor(url);
    const message = `the proxy in ${proxy?.variable ?? "HTTP_PROXY"} of this program's environment is not an http or https proxy: set one for ${where}, or none`;
    return new WebProblem("final", message, null, error);
  }
  const certificate = certificateText(code, where);
  if (certificate !== null) return new WebProblem("final", certificate, null, error);
  const message = error instanceof Error ? error.message : String(error);
  const text = words[code]?.replace("WHERE", where) ?? `cannot fetch ${where} (${code || message})`;
  return new WebProblem("again", text, null, error);
}

const certificateCode = /CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO_|HOSTNAME/;
const untrusted = "is not trusted";

function certificateText(code: string, where: string): string | null {
  if (!certificateCode.test(code)) return null;
  const certificate = `the certificate of ${where}`;
  if (/ALTNAME|HOSTNAME/.test(code))
    return `${certificate} is for another name (${code}): correct the host name in the URL, or the web site`;
  if (/EXPIRED|NOT_YET_VALID/.test(code))
    return `${certificate} is not valid today (${code}): renew it, or correct this device's clock`;
  return `${certificate} ${untrusted} (${code}): add its authority to the system's trust store, or set NODE_EXTRA_CA_CERTS of this program to the authority's PEM file`;
}

/** Adds the issuer to a problem with a certificate that is not trusted. */
export async function withIssuer(problem: WebProblem, url: string): Promise<WebProblem> {
  if (!problem.message.includes(` ${untrusted} `)) return problem;
  const issuer = await certificateIssuer(url);
  if (issuer === null) return problem;
  const message = problem.message.replace(` ${untrusted}`, `, issued by "${issuer}", ${untrusted}`);
  return new WebProblem(problem.remedy, message, null, problem.cause);
}
