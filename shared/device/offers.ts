/**
 * Packages that this device offers to others. The LAN exchange serves the cached package of every
 * known task and answers WANTs for it, also after the task has ended. A device that joins weeks
 * later finds the package here.
 */
import { CacheError, type PackageStore } from "../cache/index.ts";
import { peersNamedMax } from "../core/peers/poll-response.ts";
import { WantResponder } from "../core/peers/want-responder.ts";
import { ChunkSet } from "../model/chunk-set.ts";
import type { Poll } from "../net/exchange/messages.ts";
import type { PollReply } from "../net/exchange/peers.ts";
import { limits, type ControlFrame } from "../wire/index.ts";
import type { LanListener } from "./lan-sessions.ts";
import type { DevicePorts } from "./ports.ts";

type OnPoll = (poll: Poll, fromAddress: string) => PollReply | undefined;
type Offer = {
  readonly store: PackageStore;
  readonly session: string;
  readonly listener: LanListener;
  readonly responder: WantResponder;
  /** Cancels the next HAVE; null: none is scheduled. */
  cancel: (() => void) | null;
  /** Handlers of polls, by task: one for each session of the package. */
  readonly onPoll: Map<number, OnPoll>;
};

export class Offers {
  readonly #ports: DevicePorts;
  readonly #onCorrupt: (packageId: string, error: CacheError) => void;
  readonly #offers = new Map<string, Offer>();

  /** @param onCorrupt called when a chunk that another device requested has changed on the disk */
  constructor(ports: DevicePorts, onCorrupt: (packageId: string, error: CacheError) => void) {
    this.#ports = ports;
    this.#onCorrupt = onCorrupt;
  }

  /**
   * Offers a package; no effect if it is offered already.
   * @param packageKey 16 bytes
   */
  offer(store: PackageStore, packageKey: Uint8Array): void {
    if (this.#offers.get(store.id)?.store === store) return;
    // After an eviction the package may return with a new store; the former one is closed.
    this.withdraw(store.id);
    const { lan, peers, onBytesPassed } = this.#ports;
    const listener = { onControl: (frame: ControlFrame) => this.#onFrame(offer, frame) };
    const session = lan.join(packageKey, listener);
    const responder = new WantResponder();
    const offer: Offer = { store, session, listener, responder, cancel: null, onPoll: new Map() };
    this.#offers.set(store.id, offer);
    peers.offer(session, {
      key: packageKey,
      chunkSizeBytes: store.manifest.chunkSizeBytes,
      held: () => store.offered,
      readChunk: (chunk) => {
        // The package was evicted or removed.
        if (!store.isOpen) this.withdraw(store.id);
        onBytesPassed();
        return this.#read(store, chunk);
      },
      onPoll: (poll, fromAddress) => {
        const replies = [...offer.onPoll.values()].flatMap((reply) => reply(poll, fromAddress) ?? []);
        return {
          peers: replies.flatMap((reply) => reply.peers).slice(0, peersNamedMax),
          leads: Math.max(0, ...replies.map(({ leads }) => leads)),
        };
      },
    });
  }

  async #read(store: PackageStore, chunk: number): Promise<Uint8Array> {
    try {
      return await store.readVerified(chunk);
    } catch (error) {
      if (error instanceof CacheError && error.code === "corrupt") this.#onCorrupt(store.id, error);
      throw error;
    }
  }

  /** Sets the handler for polls about a task's package; null removes it. */
  listenToPolls(packageId: string, taskId: number, onPoll: OnPoll | null): void {
    const offer = this.#offers.get(packageId);
    if (onPoll) offer?.onPoll.set(taskId, onPoll);
    else offer?.onPoll.delete(taskId);
  }

  /** Stops offering a package; no effect if it is not offered. */
  withdraw(packageId: string): void {
    const offer = this.#offers.get(packageId);
    if (!offer) return;
    this.#offers.delete(packageId);
    offer.cancel?.();
    this.#ports.peers.withdraw(offer.session);
    this.#ports.lan.leave(offer.session, offer.listener);
  }

  close(): void {
    for (const id of this.#offers.keys()) this.withdraw(id);
  }

  #onFrame(offer: Offer, frame: ControlFrame): void {
    if (frame.type === "have") return offer.responder.onHave(frame.toDevice);
    if (frame.type !== "want" || frame.device === this.#ports.device) return;
    if (!offer.store.isOpen) return this.withdraw(offer.store.id);
    const { offered } = offer.store;
    const wanted = ChunkSet.fromRanges(offered.size, frame.ranges);
    if (!wanted || wanted.overlap(offered) === 0) return;
    const { clock, random } = this.#ports;
    offer.responder.onWant(frame.device, clock.nowMs(), random());
    this.#schedule(offer);
  }

  #schedule(offer: Offer): void {
    const { dueAtMs } = offer.responder;
    if (offer.cancel || !Number.isFinite(dueAtMs)) return;
    const { clock } = this.#ports;
    offer.cancel = clock.after(Math.max(1, dueAtMs - clock.nowMs()), () => {
      offer.cancel = null;
      this.#answer(offer);
      this.#schedule(offer);
    });
  }

  #answer(offer: Offer): void {
    const { lan, peers, device, clock } = this.#ports;
    const ranges = offer.store.offered.toRanges(limits.rangesMax);
    for (const toDevice of offer.responder.takeDue(clock.nowMs())) {
      if (ranges.length === 0) continue;
      const { load, lanPort } = peers;
      lan.send(offer.session, { type: "have", device, ranges, load, lanPort, toDevice });
    }
  }
}
