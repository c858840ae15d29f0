/**
 * Fetch for addresses that a person names: every request, also after a redirect, goes to an address
 * that the rules of egress allow. The connection uses the address that was judged, so that another
 * answer of the DNS has no effect.
 *
 * Where the environment of the source names a proxy, the proxy resolves names and connects. An
 * address that the source itself finds for the name is judged there too; the rest is the proxy's.
 */
import http from "node:http";
import https from "node:https";
import { isIP } from "node:net";
import { Readable } from "node:stream";
import { lookup } from "node:dns/promises";
import { WebProblem } from "../../net/web/problem.ts";
import { proxyUrlFor } from "../../net/web/proxy.ts";
import { siteFetch } from "../../net/web/request.ts";
import type { SiteFetch, SiteFetchInit } from "../../net/web/site-fetch.ts";
import { unbracketed } from "../../model/unbracketed.ts";
import { allowedAddress, EgressError, type AllowedNetworks } from "../webhooks/egress.ts";

/** Returns the fetch of a source that may reach public addresses and these networks. */
export const guardedFetch =
  (networks: AllowedNetworks): SiteFetch =>
  async (text, init) => {
    const url = new URL(text);
    const rule = { networks, option: "--publish-network", allowsHttp: true } as const;
    try {
      if (proxyUrlFor(text) === null) return await send(url, await allowedAddress(url, rule), init);
      if (await isKnownHere(url)) await allowedAddress(url, rule);
      return await siteFetch(text, init);
    } catch (error) {
      if (error instanceof EgressError) throw new WebProblem("final", error.message);
      throw error;
    }
  };

/** Whether the source itself finds addresses for the name: behind a proxy it may find none. */
async function isKnownHere(url: URL): Promise<boolean> {
  const host = unbracketed(url.hostname);
  return isIP(host) !== 0 || (await lookup(host).catch(() => null)) !== null;
}

/** Connects to the address that was judged, under the name of the URL. */
function send(url: URL, address: string, { headers, signal }: SiteFetchInit): Promise<Response> {
  const { promise, resolve, reject } = Promise.withResolvers<Response>();
  const family = isIP(address);
  const options: https.RequestOptions = {
    headers: { ...headers },
    agent: false,
    // Stated, because NODE_TLS_REJECT_UNAUTHORIZED=0 would accept any certificate otherwise.
    rejectUnauthorized: true,
    ...(signal === undefined ? {} : { signal }),
    lookup: (_host, wanted, done) => {
      if (wanted.all) done(null, [{ address, family }]);
      else done(null, address, family);
    },
  };
  const request = (url.protocol === "https:" ? https : http).get(url, options, (answer) => {
    resolve(responseOf(answer));
  });
  request.on("error", reject);
  return promise;
}

function responseOf(answer: http.IncomingMessage): Response {
  const status = answer.statusCode ?? 0;
  const headers = new Headers();
  for (const [name, value] of Object.entries(answer.headers))
    if (value !== undefined) headers.set(name, String(value));
  const hasBody = status !== 204 && status !== 304;
  const body = hasBody ? (Readable.toWeb(answer) as unknown as ReadableStream<Uint8Array>) : null;
  return new Response(body, { status, statusText: answer.statusMessage ?? "", headers });
}
