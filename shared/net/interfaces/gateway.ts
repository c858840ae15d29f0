/**
 * MAC of the gateway of an interface, which is part of the subnet's identity.
 *
 * The system knows the MAC only while its neighbour table has an entry, which ends when nothing
 * passes the gateway: the source is on the LAN, or a VPN carries everything. A datagram to the
 * gateway then restores the entry. Until an answer arrives, the last MAC of the same interface,
 * network and gateway counts. Routes of other interfaces, such as a VPN's, do not.
 */
import dgram from "node:dgram";
import type { NetInterface } from "../../model/interface.ts";
import { platform } from "../../platform/index.ts";

/** Upper bound on the wait for the gateway's ARP answer. */
const waitMs = 1_000;
const lookEveryMs = 50;
/** Discard port (RFC 863), for a datagram that makes the system resolve the gateway's MAC. */
export const discardPort = 9;
type Known = {
  readonly name: string;
  readonly cidr: string;
  readonly gateway: string;
  readonly mac: string;
};

export class GatewayMacs {
  #last: Known | null = null;

  /**
   * Returns the MAC of the interface's gateway; null if there is none, or if it never answered.
   * Waits for the answer of a gateway that is not known yet.
   */
  async of(one: NetInterface): Promise<string | null> {
    const { name, cidr, address } = one;
    const last = this.#last?.name === name && this.#last.cidr === cidr ? this.#last : null;
    const gateway = (await platform.gatewayOf(name)) ?? last?.gateway ?? null;
    if (gateway === null) return null;
    let mac = await platform.neighbourMac(name, gateway);
    if (mac === null) {
      const remembered = last?.gateway === gateway ? last.mac : null;
      await sendTo(gateway, address);
      const untilMs = performance.now() + (remembered === null ? waitMs : 0);
      for (;;) {
        mac = await platform.neighbourMac(name, gateway);
        if (mac !== null || performance.now() >= untilMs) break;
        await Bun.sleep(lookEveryMs);
      }
      if (mac === null) return remembered;
    }
    this.#last = { name, cidr, gateway, mac };
    return mac;
  }

  /** Forgets the gateway: the device may be on another network with the same addresses. */
  forget(): void {
    this.#last = null;
  }
}

/** Sends one byte from the interface; an error means that the gateway stays unknown. */
async function sendTo(gateway: string, fromAddress: string): Promise<void> {
  const socket = dgram.createSocket("udp4");
  try {
    await new Promise<void>((resolve) => {
      socket.on("error", () => resolve());
      socket.bind(0, fromAddress, () =>
        socket.send(new Uint8Array(1), discardPort, gateway, () => resolve()),
      );
    });
  } finally {
    socket.close();
  }
}
