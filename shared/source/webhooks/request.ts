/** One request of a webhook: signed, bounded in time, to an address that the rules allow. */
import http from "node:http";
import https from "node:https";
import { isIP } from "node:net";
import { webhookSignature } from "../../model/webhook.ts";
import { version } from "../../version.ts";
import type { WebhookRecord } from "../catalog/index.ts";
import { allowedAddress, parseTarget, webhookRule, type AllowedNetworks } from "./egress.ts";

/** Upper bound on a request, until its status. */
const timeoutMs = 10_000;

export type Message = {
  /** Text by which a receiver knows a delivery that it has already. */
  readonly delivery: string;
  readonly event: string;
  readonly atMs: number;
  readonly data: unknown;
};

/** Result of a request: `problem` is null for a status of 200 to 299. */
export type Sent = { readonly status: number | null; readonly problem: string | null };

/** Sends a message. No redirection is followed. */
export async function sendWebhook(
  { url: text, secret }: Pick<WebhookRecord, "url" | "secret">,
  { delivery, event, atMs, data }: Message,
  networks: AllowedNetworks,
  nowMs: number,
): Promise<Sent> {
  try {
    const url = parseTarget(text);
    const address = await allowedAddress(url, webhookRule(networks));
    const body = JSON.stringify({ delivery, event, atMs, data });
    const seconds = Math.floor(nowMs / 1_000);
    const status = await post(url, address, body, {
      "content-type": "application/json",
      "content-length": String(Buffer.byteLength(body)),
      "user-agent": `flockcast/${version}`,
      "flockcast-event": event,
      "flockcast-delivery": delivery,
      "flockcast-timestamp": String(seconds),
      "flockcast-signature": webhookSignature(secret, seconds, body),
    });
    const isTaken = status >= 200 && status < 300;
    return { status, problem: isTaken ? null : `the receiver answered ${status}` };
  } catch (error) {
    return { status: null, problem: error instanceof Error ? error.message : String(error) };
  }
}

type Headers = Readonly<Record<string, string>>;

/** Connects to the address that was judged, under the name of the URL. @returns the status */
function post(url: URL, address: string, body: string, headers: Headers): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const family = isIP(address);
  const options: https.RequestOptions = {
    method: "POST",
    headers,
    agent: false,
    signal: AbortSignal.timeout(timeoutMs),
    lookup: (_host, wanted, done) => {
      if (wanted.all) done(null, [{ address, family }]);
      else done(null, address, family);
    },
  };
  const request = (url.protocol === "https:" ? https : http).request(url, options, (response) => {
    resolve(response.statusCode ?? 0);
    // The status is the answer.
    response.destroy();
  });
  request.on("error", (error: NodeJS.ErrnoException) => {
    const late = error.name === "TimeoutError" || error.name === "AbortError";
    reject(late ? new Error(`no answer within ${timeoutMs / 1_000} s`) : error);
  });
  request.end(body);
  return promise;
}
