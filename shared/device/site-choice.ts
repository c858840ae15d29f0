/**
 * Choice among the web sites of a package: the first of the list that has not failed. A site that
 * failed is put aside for the rest of the download.
 */
import { redactUrl } from "../model/package-url.ts";
import type { ContentSite } from "../net/web/locate.ts";
import type { RangeValidator } from "../net/web/range-answer.ts";

/** Answers with broken ranges after which a site gets no further request with Range. */
const rangeFaultsMax = 2;
/** Upper bound of the API on a reason, less the words around it. */
const reasonLengthMax = 850;

/** A web site, and what its answers have shown. */
export class SiteState {
  readonly site: ContentSite;
  readonly validators = new Map<string, RangeValidator>();
  /** URL → text on the change of its version; part of the reason when a digest is wrong. */
  readonly changes = new Map<string, string>();
  /** Chunk → times that its digest was wrong. */
  readonly wrongDigests = new Map<number, number>();
  useIfRange = true;
  /** Attempts in a row without progress. */
  failures = 0;
  /** Why the site is not used any more; null: it is. */
  failure: string | null = null;
  #rangeFaults = 0;
  #asksWhole = false;

  constructor(site: ContentSite) {
    this.site = site;
  }

  /** Whether the next request may have a Range. */
  get useRange(): boolean {
    return !this.#asksWhole;
  }

  /** Notes an answer with broken ranges: the next request asks for the whole resource. */
  avoidRange(): void {
    this.#rangeFaults++;
    this.#asksWhole = true;
  }

  /** Notes another failure: the site may have broken one answer only. */
  retryRange(): void {
    this.#asksWhole = this.#rangeFaults >= rangeFaultsMax;
  }
}

export class SiteChoice {
  readonly #sites: () => readonly ContentSite[];
  readonly #states = new Map<string, SiteState>();

  /** @param sites returns at least one web site, in the order to try; it may change */
  constructor(sites: () => readonly ContentSite[]) {
    this.#sites = sites;
  }

  /** The web site to use now; null if every one has failed. */
  get current(): SiteState | null {
    return this.#all().find(({ failure }) => failure === null) ?? null;
  }

  /** Whether another web site than the current one is left. */
  get hasOther(): boolean {
    return this.#all().filter(({ failure }) => failure === null).length > 1;
  }

  /** Why no web site can be used. */
  get failure(): string {
    const failures = this.#all().map(({ failure }) => failure ?? "");
    if (failures.length === 1) return failures[0]!;
    const lengthMax = Math.floor(reasonLengthMax / failures.length);
    const list = failures.map((text) => (text.length > lengthMax ? `${text.slice(0, lengthMax)} …` : text));
    return `none of ${failures.length} web sites serves the package: ${list.join("; ")}`;
  }

  #all(): SiteState[] {
    return this.#sites().map((site) => {
      const key = `${site.layout} ${site.url}`;
      const known = this.#states.get(key);
      if (known) return known;
      const state = new SiteState(site);
      this.#states.set(key, state);
      return state;
    });
  }
}

/** Returns text on a web site that is put aside for another one. */
export const failoverText = (failure: string, next: SiteState): string =>
  `${failure}; continues with ${redactUrl(next.site.url)}`;
