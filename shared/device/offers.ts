/**
 * What this device holds for others: every package in its cache is offered on the LAN exchange and answers WANT,
 * whether or not a task is under way. A device that comes a week later finds it here.
 */
import { CacheError, type PackageStore } from "../cache/index.ts";
import { WantResponder } from "../core/peers/want-responder.ts";
import { ChunkSet } from "../model/chunk-set.ts";
import { peersNamedMax } from "../core/peers/poll-response.ts";
import type { Poll, PollAnswer } from "../net/exchange/messages.ts";
import { limits, type ControlFrame } from "../wire/index.ts";
import type { AgentContext } from "./context.ts";

type Held = {
  store: PackageStore;
  session: string;
  listener: { onControl: (frame: ControlFrame, fromAddress: string) => void };
  answering: WantResponder;
  timer: ReturnType<typeof setTimeout> | null;
  /** Sessions of this package, by task. */
  onPoll: Map<number, OnPoll>;
};
type OnPoll = (poll: Poll, fromAddress: string) => Pick<PollAnswer, "peers" | "leads"> | undefined;

export class Offers {
  readonly #context: AgentContext;
  readonly #onSpoiled: (packageId: string, error: CacheError) => void;
  readonly #held = new Map<string, Held>();

  /** @param onSpoiled a chunk of this package was found changed on the disk, when another device asked for it */
  constructor(context: AgentContext, onSpoiled: (packageId: string, error: CacheError) => void) {
    this.#context = context;
    this.#onSpoiled = onSpoiled;
  }

  /** Offers a package; calling again changes nothing. @param packageKey 16 bytes */
  offer(store: PackageStore, packageKey: Uint8Array): void {
    if (this.#held.get(store.id)?.store === store) return;
    // It was evicted and begun anew.
    this.withdraw(store.id);
    const { lan, exchange } = this.#context;
    const listener = { onControl: (frame: ControlFrame) => this.#onFrame(held, frame) };
    const session = lan.join(packageKey, listener);
    const held: Held = {
      store,
      session,
      listener,
      answering: new WantResponder(),
      timer: null,
      onPoll: new Map(),
    };
    this.#held.set(store.id, held);
    exchange.offer(session, {
      key: packageKey,
      held: () => store.offered,
      readChunk: (chunk) => {
        // Evicted or removed meanwhile.
        if (!store.isOpen) this.withdraw(store.id);
        this.#context.memory.collectIfGrown();
        return this.#read(store, chunk);
      },
      onPoll: (poll, fromAddress) => {
        const answers = [...held.onPoll.values()].flatMap((answer) => answer(poll, fromAddress) ?? []);
        return {
          peers: answers.flatMap(({ peers }) => peers).slice(0, peersNamedMax),
          leads: Math.max(0, ...answers.map(({ leads }) => leads)),
        };
      },
    });
  }

  async #read(store: PackageStore, chunk: number): Promise<Uint8Array> {
    try {
      return await store.readVerified(chunk);
    } catch (error) {
      if (error instanceof CacheError && error.code === "corrupt") this.#onSpoiled(store.id, error);
      throw error;
    }
  }

  /** A task's session takes (or gives up) the polls about its package. */
  listenToPolls(packageId: string, taskId: number, onPoll: OnPoll | null): void {
    const held = this.#held.get(packageId);
    if (onPoll) held?.onPoll.set(taskId, onPoll);
    else held?.onPoll.delete(taskId);
  }

  withdraw(packageId: string): void {
    const held = this.#held.get(packageId);
    if (!held) return;
    this.#held.delete(packageId);
    if (held.timer) clearTimeout(held.timer);
    this.#context.exchange.withdraw(held.session);
    this.#context.lan.leave(held.session, held.listener);
  }

  close(): void {
    for (const id of this.#held.keys()) this.withdraw(id);
  }

  #onFrame(held: Held, frame: ControlFrame): void {
    if (frame.type === "have") return held.answering.onHave(frame.toDevice);
    if (frame.type !== "want" || frame.device === this.#context.device) return;
    if (!held.store.isOpen) return this.withdraw(held.store.id);
    const { offered } = held.store;
    const wanted = ChunkSet.fromRanges(offered.size, frame.ranges);
    if (!wanted || wanted.overlap(offered) === 0) return;
    held.answering.onWant(frame.device, this.#context.nowMs(), this.#context.random());
    this.#schedule(held);
  }

  #schedule(held: Held): void {
    if (held.timer || !Number.isFinite(held.answering.dueAtMs)) return;
    const delayMs = Math.max(1, held.answering.dueAtMs - this.#context.nowMs());
    held.timer = setTimeout(() => {
      held.timer = null;
      this.#answer(held);
      this.#schedule(held);
    }, delayMs);
  }

  #answer(held: Held): void {
    const { lan, exchange, device, nowMs } = this.#context;
    const ranges = held.store.offered.toRanges(limits.rangesMax);
    for (const toDevice of held.answering.takeDue(nowMs())) {
      if (ranges.length === 0) continue;
      lan.send(held.session, {
        type: "have",
        device,
        ranges,
        load: exchange.load,
        lanPort: exchange.port,
        toDevice,
      });
    }
  }
}
