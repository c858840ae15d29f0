/**
 * The client of the LAN exchange. It uses node:http, which ignores HTTP_PROXY, so requests never
 * leave the LAN.
 */
import http from "node:http";
import { freeBuffer } from "../../model/free-buffer.ts";
import { decodePollAnswer, encodePoll } from "./messages.ts";
import type { PeerConnection } from "./peers.ts";
import { createExchangeSeal } from "./seal.ts";

const timeoutMs = 10_000;
/** Time to connect: three attempts of TCP. On a LAN only a packet filter takes longer. */
const connectMs = 3_500;
/** Upper bound on a whole answer, however slowly it arrives: a 4 MiB chunk at 1.1 Mbit/s. */
const answerMsMax = 30_000;
/** Nonce of 12 bytes and tag of 16. */
const sealBytes = 28;
const pollAnswerBytesMax = 262_144;
/** A packed manifest of 16 MiB, and its seal. */
const manifestBytesMax = 17 * 1_048_576;

/**
 * @param packageKey 16 bytes
 * @param isNeighbour whether an address may be that of another device: other ones get no request
 */
export function createExchangeClient(
  session: string,
  packageKey: Uint8Array,
  isNeighbour: (address: string) => boolean = () => true,
): PeerConnection {
  const seal = createExchangeSeal(packageKey);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4, timeout: timeoutMs });
  const askNeighbour = askerOf(isNeighbour);
  return {
    async poll(to, poll) {
      const path = `/exchange/${session}/poll`;
      const body = seal.seal(`${path} request`, encodePoll(poll));
      const answer = await askNeighbour(
        agent,
        to,
        { method: "POST", path, headers: { "content-length": body.length } },
        body,
        pollAnswerBytesMax,
      );
      if (answer.kind !== "body") return null;
      const opened = seal.open(`${path} answer`, answer.bytes);
      return opened && decodePollAnswer(opened);
    },
    async chunk(from, chunk, lengthBytes) {
      const path = `/exchange/${session}/chunk/${chunk}`;
      const headers = { "x-flockcast-proof": seal.proof(path) };
      const answer = await askNeighbour(
        agent,
        from,
        { method: "GET", path, headers },
        null,
        lengthBytes + sealBytes,
      );
      if (answer.kind === "failed") return answer;
      if (answer.kind === "status") {
        if (answer.status === 404) return { kind: "not-found" };
        if (answer.status === 503) return { kind: "busy" };
        return { kind: "failed", reason: `answered ${answer.status}` };
      }
      const bytes = seal.open(`${path} answer`, answer.bytes);
      freeBuffer(answer.bytes);
      return bytes && bytes.length === lengthBytes ? { kind: "chunk", bytes } : { kind: "wrong" };
    },
    async manifest(from) {
      const path = `/exchange/${session}/manifest`;
      const headers = { "x-flockcast-proof": seal.proof(path) };
      const answer = await askNeighbour(
        agent,
        from,
        { method: "GET", path, headers },
        null,
        manifestBytesMax,
      );
      if (answer.kind === "failed") return "unreachable";
      return answer.kind === "body" ? seal.open(`${path} answer`, answer.bytes) : null;
    },
    close: () => agent.destroy(),
  };
}

type Answer =
  | { kind: "body"; bytes: Uint8Array }
  | { kind: "status"; status: number }
  | { kind: "failed"; reason: string };

/** Returns `ask` for neighbours only: other addresses get no request. */
const askerOf =
  (isNeighbour: (address: string) => boolean): typeof ask =>
  async (agent, to, ...words) =>
    isNeighbour(to.address)
      ? ask(agent, to, ...words)
      : { kind: "failed", reason: `${to.address} is not an address of this network` };

/** Sends one request. Never rejects. */
export function ask(
  agent: http.Agent,
  to: { address: string; lanPort: number },
  request: { method: string; path: string; headers: Record<string, string | number> },
  body: Uint8Array | null,
  bytesMax: number,
): Promise<Answer> {
  return new Promise((settle) => {
    const resolve = (answer: Answer): void => {
      clearTimeout(limit);
      settle(answer);
    };
    const fail = (reason: string): void => resolve({ kind: "failed", reason });
    const limit = setTimeout(() => {
      fail(`no whole answer within ${answerMsMax} ms`);
      sent.destroy();
    }, answerMsMax);
    const sent = http.request(
      { agent, host: to.address, port: to.lanPort, timeout: timeoutMs, ...request },
      (response) => {
        if (response.statusCode !== 200) {
          response.resume();
          return resolve({ kind: "status", status: response.statusCode ?? 0 });
        }
        const parts: Buffer[] = [];
        let length = 0;
        response.on("data", (part: Buffer) => {
          length += part.length;
          if (length <= bytesMax) return void parts.push(part);
          fail("the answer is too long");
          sent.destroy();
        });
        response.on("end", () => resolve({ kind: "body", bytes: Buffer.concat(parts) }));
        response.on("error", (error) => fail(error.message));
      },
    );
    sent.on("socket", (socket) => {
      if (!socket.connecting) return;
      const connecting = setTimeout(() => {
        fail(`no connection within ${connectMs} ms`);
        sent.destroy();
      }, connectMs);
      const stop = (): void => clearTimeout(connecting);
      socket.once("connect", stop);
      socket.once("close", stop);
    });
    sent.on("timeout", () => {
      fail(`no answer for ${timeoutMs} ms`);
      sent.destroy();
    });
    sent.on("error", (error) => fail(error.message));
    sent.end(body ?? undefined);
  });
}
