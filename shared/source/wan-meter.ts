/**
 * Counter of the package bytes that the source sends, per package and subnet. It writes them to the
 * WAN account once a second, in one transaction instead of one per piece.
 */
import type { WanAccount } from "./catalog/catalog.ts";
import type { Logger } from "../log.ts";

const flushMs = 1_000;

type Entry = { readonly packageId: string; readonly subnetId: string; bytes: number };

export class WanMeter {
  readonly #account: WanAccount;
  readonly #timer: ReturnType<typeof setInterval>;
  #pending = new Map<string, Entry>();
  /** Merged subnets: a download that began before the merge still counts under the former id. */
  readonly #redirected = new Map<string, string>();

  constructor(account: WanAccount, log: Logger) {
    this.#account = account;
    this.#timer = setInterval(() => {
      this.flush().catch((error: unknown) => log.error({ err: error }, "cannot write the WAN account"));
    }, flushMs);
    this.#timer.unref();
  }

  /** Counts what a subnet gets for another one, from now on. */
  redirect(fromSubnetId: string, toSubnetId: string): void {
    this.#redirected.set(fromSubnetId, toSubnetId);
    this.#redirected.delete(toSubnetId);
  }

  /** Ends the redirections to a subnet: its merges have ended. */
  endRedirects(toSubnetId: string): void {
    for (const [from, to] of this.#redirected) if (to === toSubnetId) this.#redirected.delete(from);
  }

  count(packageId: string, ofSubnetId: string, bytes: number): void {
    let subnetId = ofSubnetId;
    for (let to = this.#redirected.get(subnetId); to !== undefined; to = this.#redirected.get(subnetId))
      subnetId = to;
    const key = `${packageId} ${subnetId}`;
    const entry = this.#pending.get(key);
    if (entry) entry.bytes += bytes;
    else this.#pending.set(key, { packageId, subnetId, bytes });
  }

  /** Writes the counted bytes now, for a reader that needs the current account. */
  async flush(): Promise<void> {
    if (this.#pending.size === 0) return;
    const entries = [...this.#pending.values()];
    this.#pending = new Map();
    await this.#account.add(entries);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }
}
