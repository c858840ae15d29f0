/**
 * The proxy that Bun's fetch uses for a URL, from the environment. Only messages and checks of
 * redirects need it: fetch reads the same variables.
 */

type Environment = Readonly<Record<string, string | undefined>>;
export type Proxy = {
  /** Name of the variable that sets it. */
  readonly variable: string;
  /** Host and port, without credentials. */
  readonly host: string;
};

/** Returns the proxy for `url`; null without one. */
export function proxyFor(url: string, environment: Environment = process.env): Proxy | null {
  const found = proxySetting(url, environment);
  if (found === null) return null;
  return { variable: found.variable, host: proxyUrl(found.text)?.host || "of that variable" };
}

/** Returns the proxy's URL, with credentials, for `url`; null without a proxy or a valid URL. */
export function proxyUrlFor(url: string, environment: Environment = process.env): URL | null {
  const found = proxySetting(url, environment);
  return found && proxyUrl(found.text);
}

const proxyUrl = (text: string): URL | null =>
  /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? URL.parse(text) : URL.parse(`http://${text}`);

function proxySetting(url: string, environment: Environment): { variable: string; text: string } | null {
  const target = URL.parse(url);
  if (!target) return null;
  const own = target.protocol === "https:" ? "https_proxy" : "http_proxy";
  const variable = [own, own.toUpperCase(), "all_proxy", "ALL_PROXY"].find((name) => environment[name]);
  const text = variable === undefined ? undefined : environment[variable];
  if (variable === undefined || text === undefined) return null;
  const excluded = environment["no_proxy"] || environment["NO_PROXY"] || "";
  if (excluded.split(",").some((entry) => isExcluded(target, entry.trim().toLowerCase()))) return null;
  return { variable, text };
}

function isExcluded({ hostname, host }: URL, entry: string): boolean {
  if (entry === "") return false;
  const suffix = entry.replace(/^\*?\./, "");
  return entry === "*" || [hostname, host].some((name) => name === suffix || name.endsWith(`.${suffix}`));
}
