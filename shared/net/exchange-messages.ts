/**
 * What two devices say to each other over the LAN exchange: msgpack, sealed, checked at the edge.
 *
 *   POST /exchange/SESSION/poll      "this is what I hold; what do you?"      → PollAnswer
 *   GET  /exchange/SESSION/chunk/N   one verified chunk
 */
import { decode, encode } from "@msgpack/msgpack";
import * as v from "valibot";

const device = v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/));
const port = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535));
const ranges = v.pipe(
  v.array(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xffff_ffff))),
  v.maxLength(16_384),
);
const address = v.pipe(v.string(), v.maxLength(64));

const term = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xffff_ffff));

const pollSchema = v.strictTuple([device, port, ranges]);
const peersSchema = v.pipe(v.array(v.strictTuple([device, address, port])), v.maxLength(64));
const pollAnswerSchema = v.strictTuple([
  device,
  ranges,
  v.pipe(v.number(), v.minValue(0), v.maxValue(100)),
  peersSchema,
  term,
]);

export type Poll = { device: string; lanPort: number; heldRanges: number[] };
export type PollAnswer = {
  device: string;
  heldRanges: number[];
  /** 0 idle … 100 */
  load: number;
  /** Other devices that take part, for the asker to poll too. */
  peers: { device: string; address: string; lanPort: number }[];
  /** The term that it leads a session of the package in; 0: it leads none. */
  leads: number;
};

export const encodePoll = (poll: Poll): Uint8Array => encode([poll.device, poll.lanPort, poll.heldRanges]);

export function decodePoll(bytes: Uint8Array): Poll | null {
  const parsed = parse(pollSchema, bytes);
  return parsed && { device: parsed[0], lanPort: parsed[1], heldRanges: parsed[2] };
}

export const encodePollAnswer = (answer: PollAnswer): Uint8Array =>
  encode([
    answer.device,
    answer.heldRanges,
    answer.load,
    answer.peers.map((p) => [p.device, p.address, p.lanPort]),
    answer.leads,
  ]);

export function decodePollAnswer(bytes: Uint8Array): PollAnswer | null {
  const parsed = parse(pollAnswerSchema, bytes);
  if (!parsed) return null;
  const peers = parsed[3].map(([peer, peerAddress, lanPort]) => ({
    device: peer,
    address: peerAddress,
    lanPort,
  }));
  return { device: parsed[0], heldRanges: parsed[1], load: parsed[2], peers, leads: parsed[4] };
}

function parse<S extends v.GenericSchema>(schema: S, bytes: Uint8Array): v.InferOutput<S> | null {
  try {
    const result = v.safeParse(
      schema,
      decode(bytes, { maxBinLength: 0, maxStrLength: 256, maxArrayLength: 16_384, maxMapLength: 0 }),
    );
    return result.success ? result.output : null;
  } catch {
    return null;
  }
}
