/** Watches the WAN account: its totals never fall, but for a restore, and none is negative. */
import type { AdminClient } from "../../shared/api/agent-client.ts";

type Totals = { readonly sourceBytes: number; readonly crossedBytes: number; readonly directBytes: number };
const none: Totals = { sourceBytes: 0, crossedBytes: 0, directBytes: 0 };
const fields = ["sourceBytes", "crossedBytes", "directBytes"] as const;

export class WanWatch {
  #last = none;
  #backup = none;

  /** Reads the account, and returns what is wrong with it. */
  async problems(admin: AdminClient): Promise<string[]> {
    const { total, rows } = await admin.wanReport({ by: "site", zone: "UTC" });
    const before = this.#last;
    this.#last = total;
    const fallen = fields
      .filter((field) => total[field] < before[field])
      .map((field) => `the WAN account's ${field} fell from ${before[field]} to ${total[field]}`);
    const negative = rows.flatMap((row) =>
      fields.filter((field) => row[field] < 0).map((field) => `${field} of ${row.name} is ${row[field]}`),
    );
    return [...fallen, ...negative];
  }

  get total(): Totals {
    return this.#last;
  }

  backUp(): void {
    this.#backup = this.#last;
  }

  restore(): void {
    this.#last = this.#backup;
  }
}
