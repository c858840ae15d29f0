/**
 * Bytes that a task downloaded over the WAN and sent on the LAN: in earlier runs of the agent, in
 * ended sessions and in the current one.
 */
import type { TaskRow } from "./task-record.ts";
import { WanSpending } from "./wan-spending.ts";

/** Counter of a session. */
type LanSender = { readonly lanBytes: number };

export class TaskTraffic {
  readonly wan: WanSpending;
  #endedLanBytes: number;

  /** @param row as it was read from the ledger */
  constructor(row: TaskRow) {
    this.wan = new WanSpending(row);
    this.#endedLanBytes = row.lanBytesSent;
  }

  /** Keeps the traffic of a session that ends. */
  close(session: LanSender): void {
    this.#endedLanBytes += session.lanBytes;
  }

  /** @param session the current session */
  total(session: LanSender | null): Pick<TaskRow, "wanBytesFetched" | "wanBytesUseless" | "lanBytesSent"> {
    return {
      wanBytesFetched: this.wan.fetchedBytes,
      wanBytesUseless: this.wan.uselessBytes,
      lanBytesSent: this.#endedLanBytes + (session?.lanBytes ?? 0),
    };
  }
}
