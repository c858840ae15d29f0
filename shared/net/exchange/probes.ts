/**
 * Probes of the source: whether another device, which states another subnet, is on this LAN.
 *
 * The source gives both devices the same secret. Each device asks the other one over the LAN
 * exchange, under the probe's id and sealed with the secret, until a request in either direction
 * succeeds. Then it confirms the probe: it received a message sealed with the secret from the
 * address that the source named, inside its own network.
 */
import { Requesters } from "./requester.ts";
import { createExchangeSeal } from "./seal.ts";

/** Time for a probe; the source forgets it then. */
const probeMs = 60_000;
/** The other device may not have received the probe yet. */
const askEveryMs = 1_500;
/** Upper bound on open probes. */
const openMax = 64;

export type LanProbe = {
  /** 16 hex digits. */
  readonly id: string;
  readonly secret: Uint8Array;
  /** The other device. */
  readonly deviceId: string;
  readonly address: string;
  readonly lanPort: number;
};
type Open = LanProbe & { readonly untilMs: number; isConfirmed: boolean };

type LanProbesOptions = {
  /** Id of this device, 16 hex digits. */
  readonly device: string;
  /** Whether an address is inside the network of the interface in use. */
  readonly isNear: (address: string) => boolean;
  /** Called once when a probe is confirmed here. */
  readonly onConfirmed: (id: string) => void;
  readonly onError: (error: unknown) => void;
};

export class LanProbes {
  readonly #options: LanProbesOptions;
  readonly #open = new Map<string, Open>();

  constructor(options: LanProbesOptions) {
    this.#options = options;
  }

  /** Begins a probe; no effect on one that has begun, or whose address is outside the network. */
  begin(probe: LanProbe): void {
    this.#expire();
    if (this.#open.has(probe.id) || this.#open.size >= openMax || !this.#options.isNear(probe.address))
      return;
    const open = { ...probe, untilMs: performance.now() + probeMs, isConfirmed: false };
    this.#open.set(probe.id, open);
    this.#askUntilConfirmed(open).catch(this.#options.onError);
  }

  /** Returns the secret of an open probe with the device at an address; null: there is none. */
  secretOf(id: string, fromAddress: string): Uint8Array | null {
    this.#expire();
    const open = this.#open.get(id);
    return open && fromAddress === open.address ? open.secret : null;
  }

  /** Notes a request that was sealed with the secret. Returns whether the other device made it. */
  onProved(id: string, device: string): boolean {
    const open = this.#open.get(id);
    if (!open || device !== open.deviceId) return false;
    this.#confirm(open);
    return true;
  }

  /** Ends all probes: the device leaves its network. */
  clear(): void {
    this.#open.clear();
  }

  async #askUntilConfirmed(open: Open): Promise<void> {
    const { id, secret, deviceId: to } = open;
    const request = { kind: "probe", from: this.#options.device, to } as const;
    const seal = createExchangeSeal(secret);
    const requesters = new Requesters();
    while (this.#open.get(id) === open && !open.isConfirmed && performance.now() < open.untilMs) {
      const answer = await requesters.ask(open, { session: id, seal, request, bytesMax: 0 });
      if (this.#open.get(id) === open && answer.kind === "body") this.#confirm(open);
      else await Bun.sleep(askEveryMs);
    }
    requesters.close();
  }

  #confirm(open: Open): void {
    if (open.isConfirmed) return;
    open.isConfirmed = true;
    this.#options.onConfirmed(open.id);
  }

  #expire(): void {
    for (const [id, { untilMs }] of this.#open) if (untilMs <= performance.now()) this.#open.delete(id);
  }
}
