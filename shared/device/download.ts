/**
 * The WAN download of a package: one HTTP request per run of missing chunks, handed to the caller
 * chunk by chunk.
 *
 * The download does not depend on the cache, the LAN or elections. It calls back for missing
 * chunks, storage and rate each time, because peers deliver chunks in the meantime. It holds at
 * most one chunk in memory, so a slow disk slows the reads down. Every outcome is a value with a
 * reason.
 */
import { BugError } from "../model/assert.ts";
import { backoffMs } from "../model/backoff.ts";
import { repeat, sleep, type Clock } from "../model/clock.ts";
import { chunkCount, chunkLength, chunkOffset, type Manifest } from "../model/manifest.ts";
import { redactUrl } from "../model/package-url.ts";
import { locateContent, urlsOfChunk, type ContentLocation, type ContentSite } from "../net/web/locate.ts";
import { WebProblem } from "../net/web/problem.ts";
import type { Web, WebStream } from "../net/web/web.ts";
import { downloadBackoff, DownloadPace, waitText } from "./download-pace.ts";
import { ReadAhead, smallFilesFrom } from "./read-ahead.ts";
import { failoverText, SiteChoice, type SiteState } from "./site-choice.ts";

type ChunkRun = { readonly first: number; readonly count: number };
export type DownloadOptions = {
  readonly web: Web;
  readonly clock: Clock;
  readonly manifest: Manifest;
  /** Web sites that have the package, at least one, in the order to try; read before each run. */
  readonly sites: () => readonly ContentSite[];
  /** Returns the next missing run, or null. Called after each request and interruption. */
  readonly nextRun: () => ChunkRun | null;
  /** Stores a chunk. `bytes` is reused for the next chunk once the promise settles. */
  readonly onChunk: (chunk: number, bytes: Uint8Array) => Promise<"stored" | "known" | "wrong-digest">;
  /** Counts body bytes from the network, verified or not. */
  readonly onBytes: (count: number) => void;
  /**
   * Returns why the download has to end for the bytes that it fetched in vain, or null.
   * @param pendingBytes received bytes of chunks that are incomplete
   */
  readonly budgetProblem?: (pendingBytes: number) => string | null;
  /** Called with one sentence for a person each time the sentence changes. */
  readonly onState: (reason: string) => void;
  /** Returns false once the chunk has arrived from elsewhere; the request stops. */
  readonly isWanted?: (chunk: number) => boolean;
  /** Rate limit; null for none. 0 is a pause, which closes the connection and resumes later. */
  readonly rateBps: () => number | null;
  /** Text on why there is a pause and until when. */
  readonly pauseReason?: () => string;
  /** Time without data after which a connection is given up. */
  readonly stallMs: number;
  /** Consecutive attempts without progress after which the download fails. */
  readonly attempts: number;
  readonly signal: AbortSignal;
  readonly random: () => number;
  readonly backoffBaseMs?: number;
};
export type DownloadOutcome =
  | { readonly kind: "done" }
  | { readonly kind: "aborted" }
  | { readonly kind: "failed"; readonly reason: string };

/** Bytes of one chunk that count as progress; a large one may take several connections. */
const progressBytes = 65_536;
/**
 * Longest gap to read and discard, at most one chunk; up to this size that is cheaper than another
 * request.
 */
const skipBytesMax = 262_144;
/** Wait before `nextRun` is called again when its chunk is not wanted. */
const unwantedPauseMs = 100;
/** Interval at which the rate is checked, so that a pause begins and ends within it. */
const pauseCheckMs = 500;

/** Ends a pending request when a pause begins; does not count as a failure. */
class PauseBegan extends Error {}

/** Ends the download: too many bytes were fetched in vain. */
class BudgetSpent extends Error {}

export async function runDownload(options: DownloadOptions): Promise<DownloadOutcome> {
  const download = new Download(options);
  try {
    return await download.run();
  } catch (error) {
    if (error instanceof BugError) throw error;
    if (options.signal.aborted) return { kind: "aborted" };
    // An error of the cache, for example a full disk.
    return { kind: "failed", reason: error instanceof Error ? error.message : String(error) };
  } finally {
    download.end();
  }
}

/** The chunk in download: its number, or -1, and the bytes received so far. */
type PartialDownload = { chunk: number; filled: number; readonly buffer: Uint8Array };

class Download {
  readonly #options: DownloadOptions;
  readonly #pace: DownloadPace;
  readonly #sites: SiteChoice;
  readonly #ahead: ReadAhead;
  readonly #answeredKnown = new Set<number>();
  readonly #partial: PartialDownload;
  #stream: WebStream | null = null;
  /** Progress since the last failure: bytes kept, and whether a chunk was stored. */
  readonly #progress = { keptBytes: 0, hasStored: false };
  #lastReport = "";
  /** Aborted when a pause begins. */
  #pauseAbort = new AbortController();
  readonly #stopPauseChecks: () => void;

  constructor(options: DownloadOptions) {
    this.#options = options;
    this.#pace = new DownloadPace(options.rateBps, options.clock);
    this.#sites = new SiteChoice(options.sites);
    this.#ahead = new ReadAhead({
      open: (location, signal) => this.#open(location, this.#site, signal),
      onBytes: (count) => this.#received(count),
    });
    const { chunkSizeBytes, sizeBytes } = options.manifest;
    this.#partial = { chunk: -1, filled: 0, buffer: new Uint8Array(Math.min(chunkSizeBytes, sizeBytes)) };
    this.#stopPauseChecks = repeat(options.clock, pauseCheckMs, () => {
      if (this.#isPaused) this.#pauseAbort.abort(new PauseBegan());
    });
  }

  end(): void {
    this.#stopPauseChecks();
    this.#ahead.clear();
    this.close();
  }

  close(): void {
    this.#stream?.close();
    this.#stream = null;
  }

  get #isPaused(): boolean {
    return this.#options.rateBps() === 0;
  }

  async run(): Promise<DownloadOutcome> {
    const { signal, nextRun } = this.#options;
    for (;;) {
      signal.throwIfAborted();
      const run = nextRun();
      if (run === null) return { kind: "done" };
      if (this.#isPaused) {
        await this.#pause();
        continue;
      }
      if (this.#pauseAbort.signal.aborted) this.#resume();
      const site = this.#sites.current;
      if (site === null) return { kind: "failed", reason: this.#sites.failure };
      try {
        await this.#fetchRun(run, site);
        if (this.#takeProgress()) site.failures = 0;
      } catch (error) {
        this.close();
        signal.throwIfAborted();
        if (error instanceof BudgetSpent) return { kind: "failed", reason: error.message };
        if (this.#isPauseBeginning(error)) continue;
        if (!(error instanceof WebProblem)) throw error;
        await this.#onProblem(error, site);
      }
    }
  }

  async #onProblem(problem: WebProblem, site: SiteState): Promise<void> {
    if (problem.receivedBytes > 0) this.#count(problem.receivedBytes);
    site.failures = this.#takeProgress() ? 1 : site.failures + 1;
    site.failure = this.#failureOf(problem, site);
    const next = this.#sites.current;
    if (site.failure !== null) {
      this.#ahead.clear();
      if (next) this.#report(failoverText(site.failure, next));
    } else if (problem.remedy === "changed") this.#startOverWithout(problem, site);
    else if (problem.remedy === "whole") {
      site.avoidRange();
      this.#report(`${problem.message}; the whole file is asked for`);
    } else {
      site.retryRange();
      await this.#backOff(problem, site.failures);
    }
  }

  /** Returns why the site is put aside, or null. */
  #failureOf(problem: WebProblem, { failures }: SiteState): string | null {
    const { attempts } = this.#options;
    if (problem.remedy === "final") return problem.message;
    if (failures >= attempts)
      return `gave up after ${failures} attempts without progress: ${problem.message}`;
    // Another web site has the bytes sooner than one that asks for a long wait.
    const isLong = (problem.retryAfterMs ?? 0) > downloadBackoff.maxMs;
    return isLong && this.#sites.hasOther ? problem.message : null;
  }

  /** Keeps received bytes and returns soon: the setting may change, or peers deliver the rest. */
  async #pause(): Promise<void> {
    this.#ahead.clear();
    this.close();
    const { pauseReason, signal, clock } = this.#options;
    this.#report(pauseReason?.() ?? "paused by the setting");
    await sleep(clock, pauseCheckMs, signal);
  }

  #resume(): void {
    this.close();
    this.#pauseAbort = new AbortController();
  }

  /** Detects an error that the pause itself caused by closing the connection. */
  #isPauseBeginning(error: unknown): boolean {
    return (
      error instanceof PauseBegan ||
      (this.#pauseAbort.signal.aborted && error instanceof WebProblem && error.remedy === "again")
    );
  }

  /**
   * Discards the partial chunk, so that no chunk mixes two versions; digests verify the new one.
   */
  #startOverWithout(problem: WebProblem, site: SiteState): void {
    site.useIfRange = false;
    this.#partial.filled = 0;
    this.#report(`${problem.message}; the download continues, every chunk is verified`);
  }

  async #backOff(problem: WebProblem, failures: number): Promise<void> {
    const { backoffBaseMs: baseMs = downloadBackoff.baseMs, random, signal, clock } = this.#options;
    const ownMs = backoffMs({ ...downloadBackoff, baseMs }, failures - 1, random);
    const pauseMs = Math.max(problem.retryAfterMs ?? 0, ownMs);
    this.#report(`waiting ${waitText(pauseMs)}: ${problem.message}`);
    await sleep(clock, pauseMs, signal);
  }

  #report(reason: string): void {
    if (reason === this.#lastReport) return;
    this.#lastReport = reason;
    this.#options.onState(reason);
  }

  /** Adds the last problem to the reason, because it explains the useless bytes. */
  #withLast(reason: string): string {
    const last = this.#lastReport;
    return last === "" || last.startsWith("downloading") ? reason : `${reason}; the last message: ${last}`;
  }

  #takeProgress(): boolean {
    const enough = this.#progress.hasStored || this.#progress.keptBytes >= progressBytes;
    if (enough) this.#progress.keptBytes = 0;
    this.#progress.hasStored = false;
    return enough;
  }

  async #fetchRun(run: ChunkRun, site: SiteState): Promise<void> {
    const { manifest, clock, signal } = this.#options;
    if (!this.#isRun(run)) throw new BugError(`the run ${run.first}+${run.count} is not within the package`);
    if (!this.#isWanted(run.first)) {
      await sleep(clock, unwantedPauseMs, signal);
      return;
    }
    if (this.#partial.chunk !== run.first) this.#begin(run.first);
    const last = run.first + run.count - 1;
    const end = chunkOffset(manifest, last) + chunkLength(manifest, last);
    for (;;) {
      const at = chunkOffset(manifest, this.#partial.chunk) + this.#partial.filled;
      if (at >= end) return;
      const location = locateContent(manifest, site.site, at, end);
      if (!location) throw new BugError(`no file holds byte ${at} of the package`);
      if (!site.wrongDigests.has(this.#partial.chunk)) {
        const files = smallFilesFrom(manifest, site.site, at, end);
        this.#ahead.request(files, this.#aheadBytesMax);
      }
      if (!(await this.#fetchLocation(location, site))) return;
    }
  }

  get #site(): SiteState {
    const { current } = this.#sites;
    if (!current) throw new BugError("the download has no web site");
    return current;
  }

  /** Bytes in flight that the rate limit allows: those of a second. */
  get #aheadBytesMax(): number {
    const rateBps = this.#options.rateBps();
    return rateBps === null ? Number.POSITIVE_INFINITY : rateBps / 8;
  }

  #isRun({ first, count }: ChunkRun): boolean {
    return first >= 0 && count >= 1 && first + count <= chunkCount(this.#options.manifest);
  }

  #isWanted(chunk: number): boolean {
    return this.#options.isWanted?.(chunk) ?? true;
  }

  #begin(chunk: number): void {
    this.#partial.chunk = chunk;
    this.#partial.filled = 0;
  }

  /** Reads the run's bytes of one resource; returns false if a chunk is no longer wanted. */
  async #fetchLocation(location: ContentLocation, site: SiteState): Promise<boolean> {
    const stream = await this.#streamAt(location, site);
    // After a change of version the chunk starts again, so the position to read from has moved.
    if (stream === null) return true;
    while (stream.position < location.start) {
      await this.#read(stream, location.start - stream.position);
    }
    // The open answer may end before the run; another request then fetches the rest.
    const end = Math.min(location.end, stream.answer.end);
    while (stream.position < end) {
      if (!this.#isWanted(this.#partial.chunk)) {
        if (!stream.answer.ignoresRange) this.close();
        return false;
      }
      // A pause begins before the next read from the network, so received bytes are kept.
      if (!stream.hasRest && this.#isPaused) throw new PauseBegan();
      const missing = chunkLength(this.#options.manifest, this.#partial.chunk) - this.#partial.filled;
      const bytes = await this.#read(stream, Math.min(missing, end - stream.position));
      this.#partial.buffer.set(bytes, this.#partial.filled);
      this.#partial.filled += bytes.length;
      this.#progress.keptBytes += bytes.length;
      if (bytes.length === missing) await this.#storeChunk(site);
    }
    if (stream.position === stream.answer.end) {
      this.#stream = null;
      await stream.finish();
    }
    return true;
  }

  async #read(stream: WebStream, max: number): Promise<Uint8Array> {
    let received = 0;
    const bytes = await stream.read(max, (count) => (received = count));
    if (bytes === null) {
      throw new WebProblem(
        "again",
        `${redactUrl(stream.url)} ended after ${stream.position} bytes, before all were sent: check the web site`,
      );
    }
    if (received > 0) await this.#received(received);
    return bytes;
  }

  /** Counts bytes from the network, and waits for the rate limit. */
  async #received(bytes: number): Promise<void> {
    this.#count(bytes);
    await this.#pace.spend(bytes, this.#options.signal);
  }

  #count(bytes: number): void {
    const { onBytes, budgetProblem } = this.#options;
    onBytes(bytes);
    const pendingBytes = bytes + this.#partial.filled + this.#ahead.pendingBytes;
    const spent = budgetProblem?.(pendingBytes) ?? null;
    if (spent !== null) throw new BudgetSpent(this.#withLast(spent));
  }

  async #streamAt(location: ContentLocation, site: SiteState): Promise<WebStream | null> {
    const { manifest, signal } = this.#options;
    const open = this.#stream;
    if (open?.url === location.url && open.position <= location.start && location.start < open.answer.end) {
      // A site that ignores Range would send the whole resource again: keep reading this answer.
      const gapMax = Math.min(skipBytesMax, manifest.chunkSizeBytes);
      if (open.answer.ignoresRange || location.start - open.position <= gapMax) return open;
    }
    this.close();
    const stream = (await this.#ahead.take(location.url)) ?? (await this.#open(location, site, signal));
    this.#stream = stream;
    const { answer } = stream;
    const where = redactUrl(location.url);
    site.validators.set(location.url, answer.validator);
    this.#report(
      answer.ignoresRange && location.start > 0
        ? `reading ${where} from its beginning: the web site ignores range requests`
        : `downloading from ${redactUrl(site.site.url)}`,
    );
    if (answer.change === null) return stream;
    const change = `the file at ${where} changed while it was downloaded (${answer.change})`;
    site.changes.set(location.url, change);
    this.#report(`${change}; the download continues, every chunk is verified`);
    if (this.#partial.filled === 0) return stream;
    this.#partial.filled = 0;
    this.close();
    return null;
  }

  #open(location: ContentLocation, site: SiteState, signal: AbortSignal): Promise<WebStream> {
    const { web, stallMs } = this.#options;
    return web.open({
      location,
      headers: site.site.headers ?? {},
      originFetch: site.site.fetch,
      validator: site.validators.get(location.url) ?? null,
      useRange: site.useRange,
      useIfRange: site.useIfRange,
      pastCaches: site.wrongDigests.has(this.#partial.chunk),
      stallMs,
      signal: AbortSignal.any([this.#options.signal, signal, this.#pauseAbort.signal]),
    });
  }

  async #storeChunk(site: SiteState): Promise<void> {
    const { clock, signal } = this.#options;
    const chunk = this.#partial.chunk;
    const result = await this.#options.onChunk(chunk, this.#partial.buffer.subarray(0, this.#partial.filled));
    this.#begin(chunk + 1);
    this.#progress.hasStored ||= result === "stored";
    if (result === "known") {
      // Stored from elsewhere, found corrupt, requested again and stored from elsewhere once more.
      // The pause keeps a caller that names a stored chunk from using up the line.
      if (this.#answeredKnown.has(chunk)) await sleep(clock, unwantedPauseMs, signal);
      this.#answeredKnown.add(chunk);
    }
    if (result !== "wrong-digest") return;
    this.#begin(-1);
    this.#failWrongDigest(chunk, site);
  }

  /** Retries once, past caches. A second wrong digest means that the file itself is wrong. */
  #failWrongDigest(chunk: number, { site, changes, wrongDigests }: SiteState): never {
    const urls = [...new Set(urlsOfChunk(this.#options.manifest, site, chunk))];
    const where = urls.slice(0, 3).map(redactUrl).join(", ") + (urls.length > 3 ? " …" : "");
    const change = urls.map((url) => changes.get(url)).find((each) => each !== undefined);
    const count = (wrongDigests.get(chunk) ?? 0) + 1;
    wrongDigests.set(chunk, count);
    const what = `chunk ${chunk} from ${where} does not match the manifest`;
    if (count < 2) throw new WebProblem("again", change ? `${what}; ${change}` : what);
    throw new WebProblem(
      "final",
      `${what}, twice: ${change ?? "the file was changed after it was published, or a proxy on the way changes it"}; ` +
        "put the published file back, or publish it again under a new version",
    );
  }
}
