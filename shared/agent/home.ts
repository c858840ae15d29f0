/**
 * The source that this device belongs to, as the ledger keeps it: its identity, the certificate key
 * that it vouched for last, and its addresses. The client of the source is here.
 *
 * A source moves when it announces another address, or when the agent is started with one. The
 * device tries that address, and keeps it after a check-in there; until then the old one stays. A
 * server counts as the source only by its identity (api/source-transport.ts).
 */
import { createAgentClient, SourceError, SourceTransport, type AgentClient } from "../api/agent-client.ts";
import type { Identity, Ledger } from "../cache/index.ts";
import type { Logger } from "../log.ts";
import { backoffMs, type Backoff } from "../model/backoff.ts";
import type { BarCode } from "../model/enrolment.ts";

/** Back-off between attempts to reach an announced address while the present one answers. */
const moveBackoff: Backoff = { baseMs: 2_000, maxMs: 60_000, jitter: [0.75, 1.25] };
/** Earlier addresses that are kept: a service starts the agent with the first one for years. */
const formerUrlsMax = 8;

type HomeOptions = {
  readonly identity: Identity;
  /** `--source` of the command line: tried as well while the present address does not answer. */
  readonly givenUrl: string;
  /** Whether a source without TLS may be on another machine. */
  readonly allowsPlainHttp: boolean;
  readonly ledger: Pick<Ledger, "saveIdentity">;
  readonly log: Logger;
  /** Called when the device should check in, because the client uses another address. */
  readonly onMoved: () => void;
  /** Called when the source refuses the credential for good. */
  readonly onBarred: (code: BarCode) => void;
  readonly random: () => number;
};

/** Returns the identity with another address; the old one becomes an earlier address. */
export function movedTo(identity: Identity, url: string): Identity {
  const former = [identity.sourceUrl, ...identity.formerUrls].filter((one) => one !== url);
  return {
    ...identity,
    sourceUrl: url,
    announcedUrl: identity.announcedUrl === url ? null : identity.announcedUrl,
    formerUrls: [...new Set(former)].slice(0, formerUrlsMax),
  };
}

export class Home {
  readonly client: AgentClient;
  readonly #options: HomeOptions;
  #identity: Identity;
  #move: "idle" | "trying" = "idle";
  #attempts = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  /** Why the other address is not used, as it was logged last. */
  #moveProblem = "";

  constructor(options: HomeOptions) {
    this.#options = options;
    const { identity } = options;
    this.#identity = identity;
    const transport = new SourceTransport({
      url: identity.sourceUrl,
      identity: identity.sourceIdentity,
      spki: identity.tlsSpki,
      allowsPlainHttp: options.allowsPlainHttp,
      onSpki: (tlsSpki) => {
        options.log.info({ tlsSpki }, "the source vouches for another certificate");
        this.#save({ ...this.#identity, tlsSpki });
      },
    });
    this.client = createAgentClient({
      transport,
      credential: identity.credential,
      onBarred: options.onBarred,
    });
  }

  get identity(): Identity {
    return this.#identity;
  }

  close(): void {
    if (this.#timer) clearTimeout(this.#timer);
  }

  /** A check-in was answered: the address in use works. */
  onAnswer(announcedUrl: string | null): void {
    const { log } = this.#options;
    const { sourceUrl } = this.client;
    if (sourceUrl !== this.#identity.sourceUrl) {
      log.info({ from: this.#identity.sourceUrl, to: sourceUrl }, "moved to another address of the source");
      this.#save(movedTo(this.#identity, sourceUrl));
      this.#moveProblem = "";
      this.#attempts = 0;
    }
    const announced = announcedUrl === sourceUrl ? null : announcedUrl;
    if (announced !== this.#identity.announcedUrl) {
      if (announced !== null) log.info({ announced }, "the source announces another address");
      this.#save({ ...this.#identity, announcedUrl: announced });
      this.#attempts = 0;
    }
    if (announced !== null) this.#schedule();
  }

  /** The source was not reached: the other addresses are tried. */
  onFailure(): void {
    const { sourceUrl } = this.#identity;
    if (this.client.sourceUrl !== sourceUrl) {
      // The new address proved to be the source, and does not serve yet.
      this.client.moveTo(sourceUrl);
      this.#options.onMoved();
    } else if (this.#others().length > 0) this.#schedule();
  }

  /**
   * Saves the identity and uses it.
   * @param order "before": it is used only after it was saved
   */
  #save(identity: Identity, order: "before" | "whatever" = "whatever"): boolean {
    try {
      this.#options.ledger.saveIdentity(identity);
    } catch (error) {
      this.#options.log.error({ error: String(error) }, "what is known of the source was not saved");
      if (order === "before") return false;
    }
    this.#identity = identity;
    return true;
  }

  #others(): string[] {
    const { sourceUrl, announcedUrl } = this.#identity;
    const { givenUrl } = this.#options;
    return [...new Set([announcedUrl, givenUrl])].filter(
      (url) => url !== null && url !== sourceUrl,
    ) as string[];
  }

  /** Tries the other addresses: the first time at once, then with a back-off. */
  #schedule(): void {
    if (this.#move === "trying" || this.#timer) return;
    const attempt = this.#attempts++;
    const delayMs = attempt === 0 ? 0 : backoffMs(moveBackoff, attempt - 1, this.#options.random);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#move = "trying";
      void this.#tryOthers().finally(() => (this.#move = "idle"));
    }, delayMs);
    this.#timer.unref();
  }

  async #tryOthers(): Promise<void> {
    for (const url of this.#others()) {
      try {
        await this.client.statement(url);
        this.client.moveTo(url);
        this.#options.onMoved();
        return;
      } catch (error) {
        this.#logProblem(url, error);
      }
    }
    this.#move = "idle";
    if (this.#identity.announcedUrl !== null) this.#schedule();
  }

  #logProblem(url: string, error: unknown): void {
    const text = error instanceof SourceError ? error.message : String(error);
    if (text === this.#moveProblem) return;
    this.#moveProblem = text;
    this.#options.log.warn({ url, error: text }, "the other address of the source cannot be used yet");
  }
}
