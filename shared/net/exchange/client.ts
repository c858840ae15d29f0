/** The client of the LAN exchange: requests about one package to other devices. */
import { decodePollAnswer } from "./messages.ts";
import type { PeerConnection } from "./peers.ts";
import { Requesters, type Answer } from "./requester.ts";
import { createExchangeSeal } from "./seal.ts";

const pollAnswerBytesMax = 262_144;
/** A packed manifest of 16 MiB, and what compression adds to one that it cannot shorten. */
const manifestBytesMax = 17 * 1_048_576;

/**
 * @param options `key`: of the package, 16 bytes; `device`: id of this device
 */
export function createExchangeClient(options: {
  readonly session: string;
  readonly key: Uint8Array;
  readonly device: string;
}): PeerConnection {
  const { session, key, device } = options;
  const seal = createExchangeSeal(key);
  const requesters = new Requesters();
  return {
    async poll(to, poll) {
      const request = { kind: "poll", from: device, to: to.device, poll } as const;
      const bytes = bytesOf(
        await requesters.ask(to, { session, seal, request, bytesMax: pollAnswerBytesMax }),
      );
      return bytes && decodePollAnswer(bytes);
    },
    async chunk(from, chunk, lengthBytes) {
      const request = { kind: "chunk", from: device, to: from.device, chunk } as const;
      const answer = await requesters.ask(from, { session, seal, request, bytesMax: lengthBytes });
      if (answer.kind !== "body") return answer;
      return answer.bytes.length === lengthBytes ? { kind: "chunk", bytes: answer.bytes } : { kind: "wrong" };
    },
    async manifest(from) {
      const request = { kind: "manifest", from: device, to: from.device } as const;
      return bytesOf(await requesters.ask(from, { session, seal, request, bytesMax: manifestBytesMax }));
    },
    close: () => requesters.close(),
  };
}

const bytesOf = (answer: Answer): Uint8Array | null => (answer.kind === "body" ? answer.bytes : null);
