/**
 * The part of the source's answers that the device obeys (device/trust-keeper.ts), with the reports
 * about tasks that it does not obey.
 */
import type { AgentClient, CheckInAnswer } from "../api/agent-client.ts";
import type { Progress } from "../api/schema/common.ts";
import type { Identity, Ledger } from "../cache/index.ts";
import { refusedProgress } from "../device/task-status.ts";
import { TrustKeeper, type TrustedAnswer } from "../device/trust-keeper.ts";
import type { Logger } from "../log.ts";
import type { NetInterface } from "../model/interface.ts";
import { systemClock } from "../platform/system-clock.ts";
import { selfView } from "./inventory.ts";

type Options = {
  readonly identity: Identity;
  readonly ledger: Ledger;
  readonly activeInterface: () => NetInterface | null;
  readonly log: Logger;
};

export class TrustedAnswers {
  readonly keeper: TrustKeeper;
  readonly #log: Logger;
  /** Reports of refused tasks, by id. */
  readonly #refused = new Map<number, Progress>();

  constructor({ identity, ledger, activeInterface, log }: Options) {
    this.#log = log;
    this.keeper = new TrustKeeper({
      ledger,
      anchor: { deployment: identity.deployment, root: identity.trustRoot },
      wallMs: () => systemClock.wallMs(),
      self: () => selfView(identity.deviceId, activeInterface()),
      log,
    });
  }

  /** Report of a task that the device does not obey; null: there is none. */
  progress(taskId: number): Progress | null {
    return this.#refused.get(taskId) ?? null;
  }

  /** @param touch called for each task to report, with its state */
  take(
    answer: CheckInAnswer,
    client: AgentClient,
    touch: (taskId: number, state: string) => void,
  ): TrustedAnswer {
    const trusted = this.keeper.take(answer);
    this.#refused.clear();
    for (const { taskId, code, text } of trusted.refused) {
      if (taskId === null) continue;
      this.#refused.set(taskId, refusedProgress(taskId, code, text));
      touch(taskId, `refused ${code}`);
    }
    if (trusted.handBack.length > 0)
      client
        .handBack(trusted.handBack)
        .catch((error: unknown) =>
          this.#log.warn({ error: String(error) }, "the source did not take trust files"),
        );
    return trusted;
  }
}
