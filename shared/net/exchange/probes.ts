/**
 * Probes of the source: whether another device, which states another subnet, is on this LAN.
 *
 *   GET /probe/ID   with the asking device's proof, answered with the proof of the asked one
 *
 * The source gives both devices the same secret. Each device asks the other one until a request in
 * either direction succeeds. Then it confirms the probe: it received a proof of the secret from the
 * address that the source named, inside its own network.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import http from "node:http";
import { ask } from "./client.ts";

/** Time for a probe; the source forgets it then. */
const probeMs = 60_000;
/** The other device may not have received the probe yet. */
const askEveryMs = 1_500;
const proofLength = 64;
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
  readonly #agent = new http.Agent({ keepAlive: false });

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

  /** Answers the request of another device: returns the proof of this one, or null to refuse. */
  answer(id: string, proof: string, fromAddress: string): string | null {
    this.#expire();
    const open = this.#open.get(id);
    if (!open || fromAddress !== open.address || !isProof(open, "request", open.deviceId, proof)) return null;
    this.#confirm(open);
    return proofOf(open, "answer", this.#options.device);
  }

  /** Ends all probes: the device leaves its network. */
  clear(): void {
    this.#open.clear();
  }

  async #askUntilConfirmed(open: Open): Promise<void> {
    const path = `/probe/${open.id}`;
    const headers = { "x-flockcast-proof": proofOf(open, "request", this.#options.device) };
    while (this.#open.get(open.id) === open && !open.isConfirmed && performance.now() < open.untilMs) {
      const answer = await ask(this.#agent, open, { method: "GET", path, headers }, null, proofLength);
      const proof = answer.kind === "body" ? new TextDecoder().decode(answer.bytes) : "";
      if (this.#open.get(open.id) !== open) return;
      if (isProof(open, "answer", open.deviceId, proof)) return this.#confirm(open);
      await Bun.sleep(askEveryMs);
    }
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

/** HMAC-SHA256 in hex over role and device, so that a proof cannot be sent back to its sender. */
const proofOf = ({ id, secret }: LanProbe, role: "request" | "answer", device: string): string =>
  createHmac("sha256", secret).update(`flockcast probe 1 ${role} ${id} ${device}`).digest("hex");

function isProof(probe: LanProbe, role: "request" | "answer", device: string, given: string): boolean {
  const right = Buffer.from(proofOf(probe, role, device));
  const bytes = Buffer.from(given);
  return bytes.length === right.length && timingSafeEqual(bytes, right);
}
