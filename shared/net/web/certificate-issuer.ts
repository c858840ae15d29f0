/** Issuer of a web site's certificate, for the message on one that is not trusted. */
import { connect } from "node:tls";
import { proxyFor } from "./proxy.ts";

const timeoutMs = 3_000;

/** Returns the issuer's name; null if it cannot be read without a proxy in three seconds. */
export async function certificateIssuer(url: string): Promise<string | null> {
  const target = URL.parse(url);
  if (target?.protocol !== "https:" || proxyFor(url)) return null;
  const host = target.hostname.replace(/^\[|\]$/g, "");
  return new Promise((resolve) => {
    const socket = connect({
      host,
      port: Number(target.port || 443),
      servername: /^[\d.]+$|:/.test(host) ? "" : host,
      // Nothing is sent on this connection: only the certificate is read.
      rejectUnauthorized: false,
    });
    const end = (issuer: string | null): void => {
      socket.destroy();
      resolve(issuer);
    };
    socket.setTimeout(timeoutMs, () => end(null));
    socket.once("error", () => end(null));
    socket.once("secureConnect", () => {
      const { issuer } = socket.getPeerCertificate();
      end([issuer?.CN, issuer?.O].flat().find((name) => typeof name === "string" && name !== "") ?? null);
    });
  });
}
