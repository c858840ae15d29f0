/** The agent's membership in its multicast group: joins on an interface, leaves, and connects the sockets to the sessions. */
import type { LanSessions } from "../device/lan-sessions.ts";
import { openLanBus, type LanBus } from "../net/lan/lan-bus.ts";
import type { Group } from "../net/lan/multicast-group.ts";
import { receiveBufferAdvice } from "../net/lan/receive-buffer.ts";

export type LanGroupOptions = {
  readonly lan: LanSessions;
  /** Of the group's socket, to ask the system for. */
  readonly receiveBufferBytes: number;
  /** What the administrator of this device should do about its receive buffer. */
  readonly onAdvice: (advice: string) => void;
  readonly onError: (error: unknown) => void;
};

export class LanGroup {
  readonly #options: LanGroupOptions;
  #bus: LanBus | null = null;
  /** Another interface does not change the system's limit: the advice is given once. */
  #isAdvised = false;

  constructor(options: LanGroupOptions) {
    this.#options = options;
  }

  get bus(): LanBus | null {
    return this.#bus;
  }

  /** Leaves the group where it was joined before. @throws LanBusError */
  async open(interfaceAddress: string, group: Group): Promise<void> {
    this.close();
    const { lan, receiveBufferBytes, onAdvice, onError } = this.#options;
    const bus = await openLanBus({
      interfaceAddress,
      group,
      receiveBufferBytes,
      onBatch: (batch) => lan.onBatch(batch),
      onError,
    });
    this.#bus = bus;
    lan.attach(bus);
    const advice = receiveBufferAdvice(receiveBufferBytes, bus.receiveBufferBytes);
    if (advice !== null && !this.#isAdvised) onAdvice(advice);
    this.#isAdvised = true;
  }

  close(): void {
    // The socket's counters disappear with it.
    this.#options.lan.detach();
    this.#bus?.close();
    this.#bus = null;
  }
}
