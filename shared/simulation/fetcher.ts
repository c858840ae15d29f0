/**
 * Takes chunks from other devices and polls them, as `shared/device/peer-fetcher.ts` over the LAN exchange. A request and
 * its answer take time, fail after a timeout where a cable is cut, and at once where nobody listens.
 */
import { ChunkSet } from "../model/chunk-set.ts";
import type { Fetch, Holder } from "../core/peers/holders.ts";
import { takesByUnicast } from "../core/state.ts";
import { pollResponse } from "../core/peers/poll-response.ts";
import { timing } from "../core/timing.ts";
import type { Poll, PollAnswer } from "../net/exchange/messages.ts";
import type { Machine } from "./machine.ts";
import type { Session } from "./session.ts";

const pollsPerRoundMax = 3;
const timeoutMs = 10_000;
/** Nobody has the address, or the port is closed. */
const refusedMs = 3_000;

export class Fetcher {
  readonly #session: Session;
  readonly #others = new Map<string, Holder>();
  readonly #polling = new Set<string>();
  #pollingTarget: string | null = null;
  /** Counts the times it was started. */
  #run = 0;
  #isOn = false;

  constructor(session: Session) {
    this.#session = session;
  }

  start(): void {
    if (this.#isOn) return this.#pump();
    this.#isOn = true;
    this.#rounds(++this.#run);
  }

  stop(): void {
    this.#isOn = false;
  }

  /** Another device polled this one: answers which others take part, and whether this one leads. */
  polled(
    { device, lanPort, heldRanges, listens }: Poll,
    address: string,
  ): Pick<PollAnswer, "peers" | "leads"> {
    const { member } = this.#session;
    this.#session.step({ type: "PeerPolled", peer: { device, address, lanPort }, heldRanges, listens });
    return pollResponse(member, device);
  }

  #rounds(run: number): void {
    if (!this.#isOn || run !== this.#run) return;
    this.#session.machine.after(timing.pollEveryMs, () => this.#rounds(run));
    this.#pump();
    const target = this.#session.member.pollTarget;
    if (target && target.device !== this.#pollingTarget) {
      this.#pollingTarget = target.device;
      this.#poll(target, () => {
        if (this.#pollingTarget === target.device) this.#pollingTarget = null;
      });
    }
    for (const other of this.#chooseOthers(target?.device)) {
      this.#polling.add(other.device);
      this.#poll(other, () => this.#polling.delete(other.device));
    }
  }

  #chooseOthers(target: string | undefined): Holder[] {
    const free = pollsPerRoundMax - this.#polling.size;
    const candidates = [...this.#others.values()].filter(
      ({ device }) => device !== target && !this.#polling.has(device),
    );
    return this.#session.machine.random.shuffle(candidates).slice(0, Math.max(0, free));
  }

  #poll(holder: Holder, ended: () => void): void {
    const { machine, member, life } = this.#session;
    const { id: device, lanPort } = machine;
    const poll = { device, lanPort, heldRanges: life.store.offered.toRanges(), listens: member.listens };
    this.#ask(
      holder,
      (other) => other.life!.polled(poll, machine.address),
      (answer) => {
        ended();
        if (!this.#isOn || this.#session.isClosed) return;
        const ok = answer?.device === holder.device;
        if (answer && ok) {
          const held = ChunkSet.fromRanges(life.store.verified.size, answer.heldRanges);
          if (held) member.holders.update(holder, held, answer.load, true);
          for (const peer of answer.peers)
            if (peer.device !== machine.id) this.#others.set(peer.device, peer);
        } else this.#others.delete(holder.device);
        this.#session.step({
          type: "ExchangeAnswered",
          device: holder.device,
          ok,
          leads: answer?.leads ?? 0,
        });
        this.#pump();
      },
    );
  }

  #pump(): void {
    const { member, machine, isClosed } = this.#session;
    if (isClosed) return;
    for (let fetch = member.nextFetch(machine.nowMs); fetch; fetch = member.nextFetch(machine.nowMs))
      this.#fetch(fetch);
  }

  #fetch(fetch: Fetch): void {
    const { machine, member, life, env } = this.#session;
    const { state } = member;
    const isEntrusted = state.role === "peer" && !takesByUnicast(state);
    const ended = (outcome: Parameters<typeof member.holders.finished>[1]): void => {
      member.holders.finished(fetch, outcome, machine.nowMs);
      this.#pump();
    };
    this.#ask(
      fetch.holder,
      (other) => other.life!.chunk(fetch.chunk),
      (answer) => {
        if (!answer) return ended("failed");
        if (answer === "not-found") return ended("not-found");
        const outcome = life.write(fetch.chunk, answer, "peers");
        if (outcome === "failed") return ended("failed");
        if (outcome === "wrong-digest") {
          this.#session.step({ type: "BadChunkReceived", device: fetch.holder.device });
          return ended("wrong");
        }
        ended("served");
        if (isEntrusted) env.checks.entrusted(this.#session, fetch.chunk);
        if (outcome === "stored") this.#session.stored(fetch.chunk);
      },
    );
  }

  /** A request there, an answer back; null: none. */
  #ask<T>(to: Holder, atTheOther: (other: Machine) => T, answered: (answer: T | null) => void): void {
    const { machine, env, life } = this.#session;
    const { network, clock } = env;
    const other = network.at(machine, to.address) as Machine | undefined;
    if (!other?.life || other.lanPort !== to.lanPort) return machine.after(refusedMs, () => answered(null));
    if (!network.reaches(machine, other) || !network.reaches(other, machine))
      return machine.after(timeoutMs, () => answered(null));
    const { subnet } = machine;
    let state: "asked" | "over" = "asked";
    const settle = (answer: T | null): void => {
      if (state === "over") return;
      state = "over";
      answered(answer);
    };
    machine.after(timeoutMs, () => settle(null));
    clock.at(network.unicastMs(subnet), () => {
      if (!other.life) return;
      other.after(0, () => {
        const answer = atTheOther(other);
        clock.at(network.unicastMs(subnet), () => {
          // Nobody is there any more who asked, after a crash.
          const isOpen =
            machine.life === life && machine.subnet === subnet && network.reaches(other, machine);
          if (isOpen) machine.after(0, () => settle(answer));
        });
      });
    });
  }
}
