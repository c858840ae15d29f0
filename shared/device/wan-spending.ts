/**
 * WAN bytes of a task on this device, and what the source allows. Useful bytes made a chunk
 * verified for the first time. The rest is useless: the source grants a budget of it for the subnet.
 */
import { formatSize } from "../model/quantity.ts";
import { uselessBytesMax } from "../model/wan-budget.ts";
import type { ContentPlaces, DownloadGrant } from "./content-sites.ts";
import type { TaskRow } from "./task-record.ts";

export class WanSpending {
  /** Body bytes, verified or not, in earlier runs of the agent too. */
  fetchedBytes: number;
  #usefulBytes: number;
  #uselessBytes: number;
  /** Chunks that this run of the agent has fetched: a chunk fetched again is useless. */
  readonly #chunks = new Set<number>();
  #repeatedChunks = 0;
  /** Where the package is, by the last grant; without one, the source has to say. */
  places: ContentPlaces = { urls: [], atSource: true };
  /** Value of `uselessBytes` at which the budget is spent. */
  #limitBytes: number | null = null;

  /** @param row as it was read from the ledger */
  constructor({ wanBytesFetched, wanBytesUseless }: Pick<TaskRow, "wanBytesFetched" | "wanBytesUseless">) {
    this.fetchedBytes = wanBytesFetched;
    this.#usefulBytes = wanBytesFetched - wanBytesUseless;
    this.#uselessBytes = wanBytesUseless;
  }

  /**
   * Useless bytes, in earlier runs of the agent too. The number never falls, because the source
   * adds up its differences: bytes of an incomplete chunk count once the chunk is given up.
   */
  get uselessBytes(): number {
    return this.#uselessBytes;
  }

  /** Notes the end of a download: its incomplete chunk is dropped. */
  settle(): void {
    this.#update(0);
  }

  #update(pendingBytes: number): void {
    const bytes = this.fetchedBytes - this.#usefulBytes - pendingBytes;
    this.#uselessBytes = Math.max(this.#uselessBytes, bytes);
  }

  /** Notes a chunk that was fetched and stored. */
  stored(chunk: number, bytes: number): void {
    if (this.#chunks.has(chunk)) {
      this.#repeatedChunks++;
      return;
    }
    this.#chunks.add(chunk);
    this.#usefulBytes += bytes;
  }

  /**
   * Notes the right to download, which the source gave with the lease or a fallback token.
   * @param statedBytes the useless bytes that the request stated
   */
  granted(grant: DownloadGrant, statedBytes: number): void {
    this.places = grant;
    this.#limitBytes = statedBytes + grant.uselessBytesLeft;
  }

  /**
   * Returns why the download has to end, or null.
   * @param pendingBytes received bytes of chunks that are incomplete
   */
  problem(packageBytes: number, pendingBytes: number): string | null {
    this.#limitBytes ??= this.#uselessBytes + uselessBytesMax(packageBytes);
    this.#update(pendingBytes);
    const useless = this.#uselessBytes;
    if (useless <= this.#limitBytes) return null;
    const repeated = this.#repeatedChunks;
    return (
      `${formatSize(this.fetchedBytes)} were fetched from the web site, ${formatSize(useless)} of it in vain: ` +
      `the budget of this subnet for a package of ${formatSize(packageBytes)} is spent` +
      (repeated > 0
        ? `; ${repeated} chunks were fetched again, as a program changed the files on this device`
        : "")
    );
  }
}
