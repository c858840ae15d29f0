/**
 * Wakes machines of the device's own subnet when the source asks for it. The device decides: its
 * setting, well-formed addresses of single network cards, its own network, and limits that the
 * source cannot change. What was sent is told to the source and shown by `status`.
 */
import type { AgentClient } from "../api/agent-client.ts";
import type { WakeRequest, WakeResult } from "../api/schema/agent.ts";
import type { Logger } from "../log.ts";
import type { OwnInterface } from "../model/neighbour.ts";
import {
  broadcastOf,
  canonicalMac,
  unicastMac,
  WakeLimits,
  wakeRepeats,
  wakeSpacingMs,
  type WakeMode,
  type WakeRefusal,
} from "../model/wake-on-lan.ts";

/** Requests that the device remembers, so that a repeated answer does not send again. */
const rememberedMax = 256;

type WakeSenderOptions = {
  readonly log: Logger;
  readonly mode: () => WakeMode;
  readonly activeInterface: () => OwnInterface | null;
  /** Sends one packet for each MAC address of six bytes. */
  readonly send: (own: OwnInterface, macs: readonly Uint8Array[]) => Promise<void>;
  readonly nowMs: () => number;
  readonly wallMs: () => number;
  readonly sleep: (ms: number) => Promise<void>;
};

/** For `status`. */
export type WakeStatus = {
  /** Machines for which packets were sent since the start of the agent. */
  readonly sent: number;
  /** Machines of requests that the device left out. */
  readonly leftOut: number;
  /** Wall time of the last packets; null: none. */
  readonly lastAtMs: number | null;
  /** MAC addresses of the last packets. */
  readonly lastMacs: readonly string[];
  /** Why machines of the last request were left out; null: none were. */
  readonly refused: WakeRefusal | null;
};

export class WakeSender {
  readonly #options: WakeSenderOptions;
  readonly #limits = new WakeLimits();
  readonly #known = new Set<string>();
  #status: WakeStatus = { sent: 0, leftOut: 0, lastAtMs: null, lastMacs: [], refused: null };

  constructor(options: WakeSenderOptions) {
    this.#options = options;
  }

  get status(): WakeStatus {
    return this.#status;
  }

  /** Carries out the requests of an answer that are new, and tells the source the results. */
  take(requests: readonly WakeRequest[], client: Pick<AgentClient, "wakeResult">): void {
    const { log } = this.#options;
    for (const request of requests) {
      if (this.#known.has(request.id)) continue;
      this.#known.add(request.id);
      if (this.#known.size > rememberedMax) this.#known.delete(this.#known.values().next().value!);
      this.#wake(request, (result) => client.wakeResult(result)).catch((error: unknown) =>
        log.warn({ error: String(error) }, "the source did not take the result of a wake-up"),
      );
    }
  }

  /** Tells the result after the first packets: a machine may be up before the last ones. */
  async #wake({ id, macs }: WakeRequest, tell: (result: WakeResult) => Promise<void>): Promise<void> {
    const own = this.#options.activeInterface();
    const canSend = own !== null && broadcastOf(own.cidr) !== null;
    const barred = this.#options.mode() === "never" ? "setting" : canSend ? null : "no-network";
    const taken = barred === null ? this.#within(macs) : [];
    const isSent = taken.length > 0 && (await this.#send(own!, taken));
    const sent = isSent ? taken : [];
    const limited = taken.length < macs.length ? "limit" : null;
    const refused = barred ?? (isSent || taken.length === 0 ? limited : "not-sent");
    this.#note(sent, { leftOut: macs.length - sent.length, refused });
    // The rest is sent also when the source cannot be told.
    await Promise.all([tell({ id, sent, refused }), isSent ? this.#repeat(own!, taken) : null]);
  }

  /** Returns the addresses that the device may wake now, in one form. */
  #within(macs: readonly string[]): string[] {
    const wellFormed = macs.map(canonicalMac).filter((mac) => mac !== null);
    return [...new Set(wellFormed)].filter((mac) => this.#limits.take(mac, this.#options.nowMs()));
  }

  async #repeat(own: OwnInterface, macs: readonly string[]): Promise<void> {
    for (let repeat = 1; repeat < wakeRepeats; repeat += 1) {
      await this.#options.sleep(wakeSpacingMs);
      await this.#send(own, macs);
    }
  }

  async #send(own: OwnInterface, macs: readonly string[]): Promise<boolean> {
    try {
      await this.#options.send(
        own,
        macs.map((mac) => unicastMac(mac)!),
      );
      return true;
    } catch (error) {
      this.#options.log.warn({ error: String(error) }, "cannot send wake-up packets");
      return false;
    }
  }

  #note(sent: readonly string[], { leftOut, refused }: Pick<WakeStatus, "leftOut" | "refused">): void {
    const { log, wallMs } = this.#options;
    const before = this.#status;
    const last = sent.length > 0 ? { lastAtMs: wallMs(), lastMacs: sent } : {};
    this.#status = {
      ...before,
      ...last,
      sent: before.sent + sent.length,
      leftOut: before.leftOut + leftOut,
      refused,
    };
    log.info({ sent, leftOut, refused }, "the source asks to wake machines of this subnet");
  }
}
