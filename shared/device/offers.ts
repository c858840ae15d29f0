/**
 * The packages that this device offers to others: every package in its cache is served by the LAN exchange and answers
 * WANT, with or without a task under way. A device that arrives a week later finds its package here.
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
  /** Cancels the next HAVE; null: none is due. */
  cancel: (() => void) | null;
  /** Sessions of this package, by task. */
  readonly onPoll: Map<number, OnPoll>;
};

export class Offers {
  readonly #ports: DevicePorts;
  readonly #onCorrupt: (packageId: string, error: CacheError) => void;
  readonly #offers = new Map<string, Offer>();

  /** @param onCorrupt a chunk of this package was found changed on the disk when another device requested it */
  constructor(ports: DevicePorts, onCorrupt: (packageId: string, error: CacheError) => void) {
    this.#ports = ports;
    this.#onCorrupt = onCorrupt;
  }

  /** Offers a package; calling again has no effect. @param packageKey 16 bytes */
  offer(store: PackageStore, packageKey: Uint8Array): void {
    if (this.#offers.get(store.id)?.store === store) return;
    // The package was evicted and begun again: its former store is closed.
    this.withdraw(store.id);
    const { lan, peers, onBytesPassed } = this.#ports;
    const listener = { onControl: (frame: ControlFrame) => this.#onFrame(offer, frame) };
    const session = lan.join(packageKey, listener);
    const responder = new WantResponder();
    const offer: Offer = { store, session, listener, responder, cancel: null, onPoll: new Map() };
    this.#offers.set(store.id, offer);
    peers.offer(session, {
      key: packageKey,
      held: () => store.offered,
      readChunk: (chunk) => {
        // Evicted or removed in the meantime.
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

  /** A task's session takes polls about its package, or gives them up (null). */
  listenToPolls(packageId: string, taskId: number, onPoll: OnPoll | null): void {
    const offer = this.#offers.get(packageId);
    if (onPoll) offer?.onPoll.set(taskId, onPoll);
    else offer?.onPoll.delete(taskId);
  }

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
