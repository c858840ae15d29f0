/**
 * Packages that this device offers to others. The LAN exchange serves the cached package of every
 * known task and answers WANTs for it, also after the task has ended. A device that joins weeks
 * later finds the package here.
 */
import { CacheError, type PackageHead, type PackageStore } from "../cache/index.ts";
import { packManifest } from "../api/packed-manifest.ts";
import { peersNamedMax } from "../core/peers/poll-response.ts";
import { WantResponder } from "../core/peers/want-responder.ts";
import { ChunkSet } from "../model/chunk-set.ts";
import type { Poll } from "../net/exchange/messages.ts";
import type { PollReply } from "../net/exchange/peers.ts";
import { limits, rangesWithin, type ControlFrame, type Ranges } from "../wire/index.ts";
import type { LanListener } from "./lan-sessions.ts";
import type { DevicePorts } from "./ports.ts";

type OnPoll = (poll: Poll, fromAddress: string) => PollReply | undefined;
type Offer = {
  readonly packageId: string;
  readonly chunkSizeBytes: number;
  /** Null: the package is complete, and was not opened yet. */
  store: PackageStore | null;
  /** Chunks that the ledger lists. */
  readonly listed: ChunkSet;
  /** Sessions in which it is offered: of the newest key, and of the one before. */
  readonly sessions: readonly string[];
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
  #lastPacked: { readonly packageId: string; readonly bytes: Uint8Array } | null = null;
  /** Ends with the last manifest that is being packed. */
  #packing: Promise<unknown> = Promise.resolve();

  /** @param onCorrupt called when a chunk that another device requested has changed on the disk */
  constructor(ports: DevicePorts, onCorrupt: (packageId: string, error: CacheError) => void) {
    this.#ports = ports;
    this.#onCorrupt = onCorrupt;
  }

  /**
   * Offers a package; no effect if it is offered already.
   * @param keys the newest first, 16 bytes each
   */
  offer(store: PackageStore, keys: readonly Uint8Array[]): void {
    const { id, manifest } = store;
    const known = this.#offers.get(id);
    if (known?.store === store) return;
    if (known?.store === null) known.store = store;
    // After an eviction the package may return with a new store; the former one is closed.
    else this.#add(keys, { packageId: id, store, listed: new ChunkSet(0) }, manifest.chunkSizeBytes);
  }

  /**
   * Offers a complete package that the ledger lists, and opens it at the first request for a chunk:
   * a device may have thousands of packages.
   * @param keys the newest first, 16 bytes each
   */
  offerListed({ id, chunkCount, chunkSizeBytes }: PackageHead, keys: readonly Uint8Array[]): void {
    if (this.#offers.has(id)) return;
    this.#add(keys, { packageId: id, store: null, listed: ChunkSet.full(chunkCount) }, chunkSizeBytes);
  }

  /** Offers a package under other keys. @returns whether it is offered */
  changeKeys(packageId: string, keys: readonly Uint8Array[]): boolean {
    const known = this.#offers.get(packageId);
    if (!known) return false;
    const { store, listed, onPoll, chunkSizeBytes } = known;
    this.#add(keys, { packageId, store, listed }, chunkSizeBytes);
    for (const [taskId, reply] of onPoll) this.listenToPolls(packageId, taskId, reply);
    return true;
  }

  #add(
    keys: readonly Uint8Array[],
    offered: Pick<Offer, "packageId" | "store" | "listed">,
    chunkSizeBytes: number,
  ): void {
    this.withdraw(offered.packageId);
    const { lan } = this.#ports;
    const listener = { onControl: (frame: ControlFrame) => this.#onFrame(offer, frame) };
    const sessions = keys.map((key) => lan.join(key, listener));
    const offer: Offer = {
      ...offered,
      chunkSizeBytes,
      sessions,
      listener,
      responder: new WantResponder(),
      cancel: null,
      onPoll: new Map(),
    };
    this.#offers.set(offer.packageId, offer);
    keys.forEach((key, index) => this.#serve(offer, sessions[index]!, key));
  }

  #serve(offer: Offer, session: string, key: Uint8Array): void {
    const { peers, onBytesPassed } = this.#ports;
    const { chunkSizeBytes } = offer;
    peers.offer(session, {
      key,
      chunkSizeBytes,
      held: () => heldOf(offer),
      manifest: () => this.#packed(offer).catch(() => null),
      readChunk: async (chunk) => {
        onBytesPassed();
        return this.#read(await this.#storeOf(offer), chunk);
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

  /** @throws CacheError when the package was evicted or removed */
  async #storeOf(offer: Offer): Promise<PackageStore> {
    offer.store ??= await this.#ports.cache.find(offer.packageId);
    if (!offer.store?.isOpen) {
      this.withdraw(offer.packageId);
      throw new CacheError("not-found", "The package is no longer in the cache");
    }
    return offer.store;
  }

  /** Returns the packed manifest. One is packed at a time, as each takes up to 32 MiB meanwhile. */
  async #packed(offer: Offer): Promise<Uint8Array> {
    if (this.#lastPacked?.packageId === offer.packageId) return this.#lastPacked.bytes;
    const packed = this.#packing.then(() => this.#pack(offer));
    this.#packing = packed.catch(() => null);
    return packed;
  }

  /** Compresses the manifest that other devices ask for; keeps the last one. */
  async #pack(offer: Offer): Promise<Uint8Array> {
    if (this.#lastPacked?.packageId !== offer.packageId) {
      const { signed } = await this.#storeOf(offer);
      this.#lastPacked = { packageId: offer.packageId, bytes: await packManifest(signed) };
    }
    return this.#lastPacked.bytes;
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
    for (const session of offer.sessions) {
      this.#ports.peers.withdraw(session);
      this.#ports.lan.leave(session, offer.listener);
    }
  }

  close(): void {
    for (const id of this.#offers.keys()) this.withdraw(id);
  }

  #onFrame(offer: Offer, frame: ControlFrame): void {
    if (frame.type === "have") return offer.responder.onHave(frame.toDevice);
    if (frame.type !== "want" || frame.device === this.#ports.device) return;
    if (!this.#isHeld(offer)) return this.withdraw(offer.packageId);
    const offered = heldOf(offer);
    const wanted = ChunkSet.fromRanges(offered.size, frame.ranges);
    if (!wanted || wanted.overlap(offered) === 0) return;
    const { clock, random } = this.#ports;
    offer.responder.onWant(frame.device, clock.nowMs(), random());
    this.#schedule(offer);
  }

  /** Whether the package was neither evicted nor removed. */
  #isHeld({ store, packageId }: Offer): boolean {
    return store ? store.isOpen : this.#ports.cache.ledger.package(packageId) !== null;
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
    const all = heldOf(offer).toRanges(limits.rangesMax);
    for (const toDevice of offer.responder.takeDue(clock.nowMs())) {
      const { load, lanPort } = peers;
      for (let rest: Ranges = all; rest.length > 0;) {
        const ranges = rangesWithin(limits.smallDatagramMaxBytes, rest);
        for (const session of offer.sessions)
          lan.send(session, { type: "have", device, ranges, load, lanPort, toDevice });
        rest = rest.slice(ranges.length);
      }
    }
  }
}

const heldOf = ({ store, listed }: Offer): ChunkSet => store?.offered ?? listed;
