/**
 * What two devices say to each other over the LAN exchange: msgpack, sealed, checked at the edge.
 *
 *   POST /exchange/SESSION/poll      "this is what I hold; what do you?"      → PollAnswer
 *   GET  /exchange/SESSION/chunk/N   one verified chunk
 *
 * Read with the reader of the frames, which allocates for what is there and not for what a head claims: a general
 * decoder makes an array of the claimed length for each three bytes of a nested one. Elements behind the known ones
 * are those of a later version, and are passed over.
 */
import { encode } from "@msgpack/msgpack";
import { isIP } from "node:net";
import { limits } from "../../wire/index.ts";
import { deviceId } from "../../wire/fields.ts";
import { BodyReader } from "../../wire/reader.ts";

/** Ranges of held chunks in one message: 80 KiB at most. */
export const heldRangesMax = 8_192;
const peersMax = 64;
const addressBytesMax = 64;
const deviceBytes = 16;

export type Poll = {
  device: string;
  lanPort: number;
  heldRanges: number[];
  /** It hears the multicast, and takes only some chunks by unicast. */
  listens: boolean;
};
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

export const encodePoll = (poll: Poll): Uint8Array =>
  encode([poll.device, poll.lanPort, poll.heldRanges, Number(poll.listens)]);

export function decodePoll(bytes: Uint8Array): Poll | null {
  const reader = new BodyReader(bytes);
  const elements = reader.arrayLength(4 + limits.extraFieldsMax) ?? 0;
  const device = readDevice(reader);
  const lanPort = reader.uint(limits.portMax);
  const heldRanges = readRanges(reader);
  const listens = reader.uint(1);
  if (elements < 4 || device === null || !lanPort || heldRanges === null || listens === null) return null;
  return isOver(reader, elements - 4) ? { device, lanPort, heldRanges, listens: listens === 1 } : null;
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
  const reader = new BodyReader(bytes);
  const elements = reader.arrayLength(5 + limits.extraFieldsMax) ?? 0;
  const device = readDevice(reader);
  const heldRanges = readRanges(reader);
  const load = reader.uint(limits.loadMax);
  const peers = readPeers(reader);
  const leads = reader.uint(limits.counterMax);
  if (elements < 5 || device === null || heldRanges === null || load === null) return null;
  if (peers === null || leads === null) return null;
  return isOver(reader, elements - 5) ? { device, heldRanges, load, peers, leads } : null;
}

function readDevice(reader: BodyReader): string | null {
  const device = reader.text(deviceBytes);
  return device !== null && deviceId.test(device) ? device : null;
}

/** Whether they ascend and lie in the package is seen where they become a set. */
const readRanges = (reader: BodyReader): number[] | null => reader.list(heldRangesMax * 2, limits.counterMax);

function readPeers(reader: BodyReader): PollAnswer["peers"] | null {
  const count = reader.arrayLength(peersMax);
  if (count === null) return null;
  const peers: PollAnswer["peers"] = [];
  for (let i = 0; i < count; i++) {
    const elements = reader.arrayLength(3 + limits.extraFieldsMax) ?? 0;
    const device = readDevice(reader);
    const address = reader.text(addressBytesMax) ?? "";
    const lanPort = reader.uint(limits.portMax);
    // A name would have to be looked up, by whoever is asked for names: never for a neighbour.
    if (elements < 3 || device === null || isIP(address) === 0 || !lanPort) return null;
    if (!reader.skip(elements - 3)) return null;
    peers.push({ device, address, lanPort });
  }
  return peers;
}

const isOver = (reader: BodyReader, extra: number): boolean => reader.skip(extra) && reader.isAtEnd;
