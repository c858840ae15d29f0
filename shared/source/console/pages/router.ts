/**
 * Address of the page shown: the part after `#`, such as `#/tasks/7`. The server answers one path
 * only, so that no page depends on rewritten addresses.
 */
import { signal } from "@preact/signals";

export type Route = {
  readonly page: string;
  readonly id: string | null;
  /** Form about the thing with the id, such as `edit`; null: the thing itself. */
  readonly form: string | null;
};

function routeOf(hash: string): Route {
  const [page = "", id, form] = hash.replace(/^#\/?/, "").split("/");
  return {
    page: page === "" ? "overview" : page,
    id: id === undefined || id === "" ? null : decoded(id),
    form: form === undefined || form === "" ? null : form,
  };
}

/** A person can type any address, also one that is not encoded well. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export const route = signal<Route>(routeOf(location.hash));

export const addressOf = (page: string, id?: string | number, form?: string): string =>
  id === undefined
    ? `#/${page}`
    : `#/${page}/${encodeURIComponent(id)}${form === undefined ? "" : `/${form}`}`;

export function goTo(page: string, id?: string | number): void {
  location.hash = addressOf(page, id);
}

/** Shows another page in place of the current one, whose address leaves the history. */
export function replaceAddress(page: string): void {
  history.replaceState(null, "", addressOf(page));
  route.value = routeOf(location.hash);
}

/** Follows the address. The skip link's target is an element of the page, and no address. */
export function followAddress(): void {
  addEventListener("hashchange", () => {
    if (location.hash === "" || location.hash.startsWith("#/")) route.value = routeOf(location.hash);
  });
}
