/** The client of the LAN exchange: requests about one package to other devices. */
import { decodePollAnswer, type Asked } from "./messages.ts";
import type { PackageKey, PeerAddress, PeerConnection } from "./peers.ts";
import { Requesters, type Answer } from "./requester.ts";
import { createExchangeSeal } from "./seal.ts";

const pollAnswerBytesMax = 262_144;
/** A packed manifest of 16 MiB, and what compression adds to one that it cannot shorten. */
const manifestBytesMax = 17 * 1_048_576;

type Asking = Exclude<Asked, { kind: "probe" }>;
type KnownAnswer = Exclude<Answer, { kind: "unknown" }>;

/**
 * @param options `keys`: of the package, the newest first; `device`: id of this device;
 *   `isNeighbour`: whether an address may be that of another device, others get no request
 */
export function createExchangeClient(options: {
  readonly keys: readonly PackageKey[];
  readonly device: string;
  readonly isNeighbour?: (address: string) => boolean;
}): PeerConnection {
  const { device, isNeighbour = () => true } = options;
  const keys = options.keys.map(({ session, key }) => ({ session, seal: createExchangeSeal(key) }));
  const requesters = new Requesters();
  /** Key that a device answered to last, by address: it may not know the newest one yet. */
  const known = new Map<string, number>();

  /** Asks under one key after the other, until the device knows one. */
  async function ask(to: PeerAddress, asked: Asking, bytesMax: number): Promise<KnownAnswer> {
    if (!isNeighbour(to.address))
      return { kind: "failed", reason: `${to.address} is not an address of this network` };
    const name = `${to.address} ${to.lanPort}`;
    const first = known.get(name) ?? 0;
    for (let tried = 0; tried < keys.length; tried++) {
      const index = (first + tried) % keys.length;
      const request = { from: device, to: to.device, ...asked };
      const answer = await requesters.ask(to, { ...keys[index]!, request, bytesMax });
      if (answer.kind === "unknown") continue;
      // A device that learns the newest key forgets the one before at some time.
      if (answer.kind === "body" && index !== first) known.set(name, index);
      return answer;
    }
    return { kind: "not-found" };
  }
  return {
    poll: async (to, poll) => {
      const bytes = bytesOf(await ask(to, { kind: "poll", poll }, pollAnswerBytesMax));
      return bytes && decodePollAnswer(bytes);
    },
    chunk: async (from, chunk, lengthBytes) => {
      const answer = await ask(from, { kind: "chunk", chunk }, lengthBytes);
      if (answer.kind !== "body") return answer;
      return answer.bytes.length === lengthBytes ? { kind: "chunk", bytes: answer.bytes } : { kind: "wrong" };
    },
    manifest: async (from) => {
      const answer = await ask(from, { kind: "manifest" }, manifestBytesMax);
      return answer.kind === "failed" ? "unreachable" : bytesOf(answer);
    },
    close: () => requesters.close(),
  };
}

const bytesOf = (answer: KnownAnswer): Uint8Array | null => (answer.kind === "body" ? answer.bytes : null);
