/**
 * Publications by URL that run or have ended: their progress, their cancellation, and the bounds on
 * their number and time. They are in memory only, and a restart of the source ends them.
 * fetch-package.ts does the work of one.
 */
import type { Publication, PublicationRequest } from "../../api/schema/publishing.ts";
import { ManifestError } from "../../model/manifest-error.ts";
import { redactUrl } from "../../model/package-url.ts";
import { ApiError } from "../api-error.ts";
import type { EventFeed } from "../event-feed.ts";

/** Publications that read at the same time: each takes a connection and digests. */
const runningMax = 2;
/** Upper bound on one publication. */
const timeMsMax = 12 * 3_600_000;
/** Ended ones that are kept for the people who look at them. */
const keptMax = 20;
const keptMs = 3_600_000;

type Options = {
  readonly events: Pick<EventFeed, "note">;
  readonly randomBytes: (count: number) => Uint8Array;
  readonly nowMs: () => number;
};
type Job = { publication: Publication; readonly abort: AbortController; ended: Promise<void> };
type Part = Partial<Pick<Publication, "state" | "doneBytes" | "totalBytes" | "packageId" | "file">>;
export type Work = (signal: AbortSignal, note: (part: Part) => void) => Promise<void>;

/** Reason of a signal: a person has cancelled the publication, or the source stops. */
class Cancelled extends Error {
  override readonly name = "Cancelled";
}

export class Publications {
  readonly #options: Options;
  readonly #jobs = new Map<string, Job>();

  constructor(options: Options) {
    this.#options = options;
  }

  /**
   * Begins the work, and returns at once.
   * @throws ApiError 429 when too many run, 409 when one of this name and version runs
   */
  begin({ name, version, url }: PublicationRequest, startedBy: string, work: Work): Publication {
    this.#forgetOld();
    const running = [...this.#jobs.values()].map((one) => one.publication).filter(isRunning);
    if (running.some((one) => one.name === name && one.version === version))
      throw new ApiError(409, `${name} ${version} is being read already`, "wait for its end, or cancel it");
    if (running.length >= runningMax)
      throw new ApiError(
        429,
        `The source reads ${running.length} packages already: ${running.map((one) => `${one.name} ${one.version}`).join(", ")}`,
        "wait until one has ended, or cancel one",
      );
    const publication: Publication = {
      id: Buffer.from(this.#options.randomBytes(8)).toString("hex"),
      name,
      version,
      url: redactUrl(url),
      startedBy,
      startedAtMs: this.#options.nowMs(),
      state: "reading",
      doneBytes: 0,
      totalBytes: null,
      packageId: null,
      file: null,
      problem: null,
      endedAtMs: null,
    };
    const job: Job = { publication, abort: new AbortController(), ended: Promise.resolve() };
    this.#jobs.set(publication.id, job);
    job.ended = this.#run(job, work);
    return publication;
  }

  /** Returns all that are known, the last one first. */
  list(): Publication[] {
    this.#forgetOld();
    return [...this.#jobs.values()].map(({ publication }) => publication).toReversed();
  }

  byId(id: string): Publication | null {
    return this.#jobs.get(id)?.publication ?? null;
  }

  /** Ends one that runs, and returns it once it has ended; null for an unknown one. */
  async cancel(id: string): Promise<Publication | null> {
    const job = this.#jobs.get(id);
    job?.abort.abort(new Cancelled());
    await job?.ended;
    return job?.publication ?? null;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#jobs.keys()].map((id) => this.cancel(id)));
  }

  async #run(job: Job, work: Work): Promise<void> {
    const { signal } = job.abort;
    const late = new ManifestError(
      `The web site took longer than ${timeMsMax / 3_600_000} h: publish with the command line, or a smaller file`,
    );
    const timer = setTimeout(() => job.abort.abort(late), timeMsMax);
    try {
      await work(signal, (part) => this.#change(job, part));
      this.#change(job, { state: "done" });
    } catch (error) {
      const isCancelled = signal.reason instanceof Cancelled;
      this.#change(
        job,
        isCancelled ? { state: "cancelled" } : { state: "failed", problem: problemOf(error) },
      );
    } finally {
      clearTimeout(timer);
      this.#change(job, { endedAtMs: this.#options.nowMs() });
    }
  }

  #change(job: Job, part: Partial<Publication>): void {
    job.publication = { ...job.publication, ...part };
    this.#options.events.note("publication", job.publication.id);
  }

  #forgetOld(): void {
    const ended = [...this.#jobs.values()].filter((one) => one.publication.endedAtMs !== null);
    const isOld = ({ endedAtMs }: Publication): boolean => endedAtMs! + keptMs < this.#options.nowMs();
    for (const [at, { publication }] of ended.toReversed().entries())
      if (at >= keptMax || isOld(publication)) this.#jobs.delete(publication.id);
  }
}

const isRunning = ({ endedAtMs }: Publication): boolean => endedAtMs === null;

const nextStep =
  "correct the address or the web site, and publish again; or use the command line on a machine that reaches the web site";

/** Messages for devices name "this device". */
const atSource = (text: string): string => text.replaceAll("this device's", "the source's");

function problemOf(error: unknown): Publication["problem"] {
  if (error instanceof ApiError) return { error: error.message, hint: error.hint ?? null };
  if (error instanceof ManifestError) return { error: atSource(error.message), hint: nextStep };
  // fetch-package.ts has logged it.
  return { error: "Internal error", hint: "see the log of the source" };
}
