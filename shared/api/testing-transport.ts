/** Transport of tests whose server makes no statement: without TLS and identity. */
import type { Transport } from "./source-transport.ts";

/** Returns a transport that sends every request to `url`. */
export const plainTransport = (url: string): Transport => ({
  url,
  spki: null,
  fetch: (target, { method, headers, body, signal }) =>
    fetch(target, {
      redirect: "manual",
      ...(method === undefined ? {} : { method }),
      ...(headers === undefined ? {} : { headers }),
      ...(signal === undefined ? {} : { signal }),
      ...(typeof body === "string" ? { body } : {}),
    }),
  statement: () => Promise.reject(new Error("this server makes no statement")),
  moveTo: () => {},
  dropIdle: () => {},
});
