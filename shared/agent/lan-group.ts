/**
 * The agent's membership in its multicast group: joins on an interface, leaves, and connects the
 * sockets to the sessions.
 */
import type { LanSessions } from "../device/lan-sessions.ts";
import { openLanBus, type LanBus } from "../net/lan/lan-bus.ts";
import type { Group } from "../net/lan/multicast-group.ts";
import { receiveBufferAdvice } from "../net/lan/receive-buffer.ts";

type LanGroupOptions = {
  readonly lan: LanSessions;
  /** Size of the receive buffer to request from the system. */
  readonly receiveBufferBytes: number;
  /** Called with advice for the administrator, if the system grants a smaller buffer. */
  readonly onAdvice: (advice: string) => void;
  readonly onError: (error: unknown) => void;
};

export class LanGroup {
  readonly #options: LanGroupOptions;
  #bus: LanBus | null = null;
  /** Whether the advice was given. It is given once: the limit is the same for all interfaces. */
  #isAdvised = false;

  constructor(options: LanGroupOptions) {
    this.#options = options;
  }

  get bus(): LanBus | null {
    return this.#bus;
  }

  /**
   * Joins the group on an interface, after leaving it on the former one.
   * @throws LanBusError when the group cannot be joined
   */
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
    // The counters are read before the socket is closed.
    this.#options.lan.detach();
    this.#bus?.close();
    this.#bus = null;
  }
}
