/**
 * How the bytes of one task arrive: their rate, the senders of wrong chunks, and why some did not
 * come by multicast. Kept for the task's reports, across its sessions.
 */
import type { Progress } from "../api/schema/common.ts";
import type { PackageStore } from "../cache/index.ts";
import type { Reason } from "../model/reason.ts";
import { BadChunkReports } from "./bad-chunk-reports.ts";
import { ByteRate } from "./byte-rate.ts";
import { DeliveryLog, reasonForDelivery, reasonWithoutSession } from "./delivery-log.ts";
import type { DevicePorts } from "./ports.ts";
import type { Session } from "./session.ts";

export class TaskDelivery {
  readonly badChunks = new BadChunkReports();
  /** Whether another task of this device fetched the package. */
  waitedForOther = false;
  readonly #ports: Pick<DevicePorts, "clock" | "lan">;
  readonly #log = new DeliveryLog();
  #rate = new ByteRate(0, 0);
  /** Datagrams that the kernel had dropped when the session began. */
  #dropsBefore = 0;

  constructor(ports: Pick<DevicePorts, "clock" | "lan">) {
    this.#ports = ports;
  }

  /** Notes the bytes that are there when an attempt begins. */
  begin(store: PackageStore): void {
    this.#rate = new ByteRate(store.bytesVerified, this.#ports.clock.nowMs());
  }

  sessionBegins(): void {
    this.#dropsBefore = this.#ports.lan.kernelDrops ?? 0;
  }

  observe({ member, unicastReason }: Session): void {
    this.#log.observe(member, unicastReason);
  }

  /**
   * Returns why bytes of a package did not come by multicast; null: all did, or it is not known.
   * @param before what an earlier run of the agent saved
   */
  causeOf(store: PackageStore, session: Session | null, before: Reason | null): Reason | null {
    if (!session) return before ?? reasonWithoutSession(this.waitedForOther);
    return reasonForDelivery(store.originBytes, this.#log.notes, {
      diskOverflow: session.receiver.counters.overflow,
      kernelDrops: (this.#ports.lan.kernelDrops ?? 0) - this.#dropsBefore,
    });
  }

  /** Returns the parts of a report on the bytes of now. */
  counted(store: PackageStore | null, isOver: boolean): Pick<Progress, "rateBps" | "wrongFrom"> {
    const { clock } = this.#ports;
    return {
      rateBps: isOver ? 0 : this.#rate.update(store?.bytesVerified ?? 0, clock.nowMs()),
      wrongFrom: this.badChunks.list(),
    };
  }
}
