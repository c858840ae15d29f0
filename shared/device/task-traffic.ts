/**
 * Bytes that a task downloaded over the WAN and sent on the LAN: in earlier runs of the agent, in
 * ended sessions and in the current one.
 */
import type { TaskRow } from "./task-record.ts";

type Traffic = { readonly wan: number; readonly lan: number };
/** Counters of a session. */
type TrafficSource = { readonly representative: { readonly wanBytes: number }; readonly lanBytes: number };

const trafficOf = (session: TrafficSource | null): Traffic => ({
  wan: session?.representative.wanBytes ?? 0,
  lan: session?.lanBytes ?? 0,
});

export class TaskTraffic {
  #ended: Traffic;

  /** @param row as it was read from the ledger */
  constructor({ wanBytesFetched, lanBytesSent }: TaskRow) {
    this.#ended = { wan: wanBytesFetched, lan: lanBytesSent };
  }

  /** Keeps the traffic of a session that ends. */
  close(session: TrafficSource): void {
    this.#ended = this.total(session);
  }

  /** @param session the current session */
  total(session: TrafficSource | null): Traffic {
    const { wan, lan } = trafficOf(session);
    return { wan: this.#ended.wan + wan, lan: this.#ended.lan + lan };
  }
}
