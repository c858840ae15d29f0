/**
 * Browser of tests: keeps cookies by the rules of RFC 6265bis that matter for sessions, and states
 * where a request comes from, as browsers do. It runs no page.
 */

type Cookie = {
  readonly name: string;
  readonly value: string;
  readonly host: string;
  readonly path: string;
  readonly isSecure: boolean;
  readonly sameSite: string;
};
type Send = {
  readonly method?: string;
  readonly json?: unknown;
  readonly form?: Readonly<Record<string, string>>;
  /** Site of the page that sends the request, relative to its address; default: the same page. */
  readonly from?: "same-origin" | "same-site" | "cross-site";
  readonly headers?: Readonly<Record<string, string>>;
};

const matchesPath = (path: string, prefix: string): boolean =>
  path === prefix || path.startsWith(prefix.endsWith("/") ? prefix : `${prefix}/`);

export class TestBrowser {
  readonly #cookies = new Map<string, Cookie>();

  /** Cookies that the browser refused, with the reason. */
  readonly refused: string[] = [];

  cookie(name: string): Cookie | undefined {
    return [...this.#cookies.values()].find((one) => one.name === name);
  }

  /** Adds a cookie as a page on another port of the same host could. */
  plant(cookie: Pick<Cookie, "name" | "value" | "host">): void {
    this.#cookies.set(`${cookie.host} / ${cookie.name}`, {
      path: "/",
      isSecure: false,
      sameSite: "Lax",
      ...cookie,
    });
  }

  /** Sends one request; a redirect is an answer. */
  async send(address: string, options: Send = {}): Promise<Response> {
    const { method = "GET", json, form, from = "same-origin", headers = {} } = options;
    const url = new URL(address);
    const cookies = this.#cookiesFor(url, from, method);
    const body = json === undefined ? form && new URLSearchParams(form) : JSON.stringify(json);
    const response = await fetch(url, {
      method,
      redirect: "manual",
      tls: { rejectUnauthorized: false },
      headers: {
        "sec-fetch-site": from,
        ...(cookies === "" ? {} : { cookie: cookies }),
        ...(json === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body }),
    });
    for (const line of response.headers.getSetCookie()) this.#keep(url, line);
    return response;
  }

  /** Opens an address and follows redirects, up to one that `isLast` accepts. */
  async open(
    address: string,
    from: Send["from"] = "same-origin",
    isLast: (url: string) => boolean = () => false,
    options: Send = {},
  ): Promise<{ url: string; response: Response | null }> {
    let url = address;
    let response = await this.send(url, { ...options, from });
    for (let steps = 0; steps < 10; steps++) {
      const next = response.headers.get("location");
      if (next === null) return { url, response };
      url = new URL(next, url).href;
      if (isLast(url)) return { url, response: null };
      await response.body?.cancel();
      response = await this.send(url, { from });
    }
    throw new Error(`${address} redirects without an end`);
  }

  #cookiesFor(url: URL, from: Send["from"], method: string): string {
    const fits = ({ host, path, isSecure, sameSite }: Cookie): boolean =>
      host === url.hostname &&
      matchesPath(url.pathname, path) &&
      (!isSecure || url.protocol === "https:") &&
      (from !== "cross-site" || sameSite === "none" || (sameSite === "lax" && method === "GET"));
    return [...this.#cookies.values()]
      .filter(fits)
      .map(({ name, value }) => `${name}=${value}`)
      .join("; ");
  }

  #keep(url: URL, line: string): void {
    const [pair = "", ...rest] = line.split(";").map((part) => part.trim());
    const attributes = new Map(
      rest.map((part) => {
        const [key = "", value = ""] = part.split("=");
        return [key.toLowerCase(), value];
      }),
    );
    const at = pair.indexOf("=");
    const [name, value] = [pair.slice(0, at), pair.slice(at + 1)];
    const isSecure = attributes.has("secure");
    const path = attributes.get("path") ?? "/";
    if (isSecure && url.protocol !== "https:") return void this.refused.push(`${name}: not https`);
    if (name.startsWith("__Host-") && (!isSecure || path !== "/" || attributes.has("domain")))
      return void this.refused.push(`${name}: prefix`);
    const key = `${url.hostname} ${path} ${name}`;
    const expires = attributes.get("expires");
    const isEnded = attributes.get("max-age") === "0" || (expires && Date.parse(expires) <= Date.now());
    if (isEnded) return void this.#cookies.delete(key);
    const sameSite = (attributes.get("samesite") ?? "lax").toLowerCase();
    this.#cookies.set(key, { name, value, host: url.hostname, path, isSecure, sameSite });
  }
}
