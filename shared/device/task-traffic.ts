/** Bytes that a task moved over the WAN and the LAN: in earlier starts of the agent, in ended sessions, and at present. */
import type { TaskRow } from "./task-record.ts";

type Moved = { readonly wan: number; readonly lan: number };
/** What a session has moved so far. */
type Mover = { readonly representative: { readonly wanBytes: number }; readonly lanBytes: number };

const movedBy = (session: Mover | null): Moved => ({
  wan: session?.representative.wanBytes ?? 0,
  lan: session?.lanBytes ?? 0,
});

export class TaskTraffic {
  #ended: Moved;

  /** @param row as it was read from the ledger */
  constructor({ wanBytesFetched, lanBytesSent }: TaskRow) {
    this.#ended = { wan: wanBytesFetched, lan: lanBytesSent };
  }

  /** The session ends: what it moved is kept. */
  close(session: Mover): void {
    this.#ended = this.total(session);
  }

  /** @param session the one at present */
  total(session: Mover | null): Moved {
    const { wan, lan } = movedBy(session);
    return { wan: this.#ended.wan + wan, lan: this.#ended.lan + lan };
  }
}
