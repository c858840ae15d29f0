/**
 * Counter of the package bytes that the source sends, per package, subnet, device and task. It
 * writes them to the WAN account once a second, in one transaction instead of one per piece.
 */
import type { WanAccount, WanSent } from "./catalog/catalog.ts";
import type { Logger } from "../log.ts";

const flushMs = 1_000;
/** Grants that are remembered. A representative renews its lease every few seconds. */
const grantsMax = 10_000;

type Receiver = { readonly packageId: string; readonly deviceId: string; readonly subnetId: string };

export class WanMeter {
  readonly #account: WanAccount;
  readonly #nowMs: () => number;
  readonly #timer: ReturnType<typeof setInterval>;
  #pending = new Map<string, WanSent & { bytes: number }>();
  /** Merged subnets: a download that began before the merge still counts under the former id. */
  readonly #redirected = new Map<string, string>();
  /** Task for which a device may download a package, the last granted last. */
  readonly #grants = new Map<string, number>();

  constructor(account: WanAccount, log: Logger, nowMs: () => number) {
    this.#account = account;
    this.#nowMs = nowMs;
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

  /** Notes the task of a lease or a fallback token: what the device gets counts for that task. */
  granted(packageId: string, deviceId: string, taskId: number): void {
    const key = `${packageId} ${deviceId}`;
    this.#grants.delete(key);
    this.#grants.set(key, taskId);
    const [oldest] = this.#grants.keys();
    if (this.#grants.size > grantsMax) this.#grants.delete(oldest!);
  }

  count({ packageId, deviceId, subnetId: ofSubnetId }: Receiver, bytes: number): void {
    let subnetId = ofSubnetId;
    for (let to = this.#redirected.get(subnetId); to !== undefined; to = this.#redirected.get(subnetId))
      subnetId = to;
    const taskId = this.#grants.get(`${packageId} ${deviceId}`) ?? null;
    const key = `${packageId} ${subnetId} ${deviceId} ${taskId}`;
    const entry = this.#pending.get(key);
    if (entry) entry.bytes += bytes;
    else this.#pending.set(key, { packageId, subnetId, deviceId, taskId, bytes });
  }

  /** Writes the counted bytes now, for a reader that needs the current account. */
  async flush(): Promise<void> {
    if (this.#pending.size === 0) return;
    const entries = [...this.#pending.values()];
    this.#pending = new Map();
    await this.#account.add(entries, this.#nowMs());
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }
}
