/**
 * Messages of the LAN exchange: msgpack, sealed by seal.ts.
 *
 *   POST /exchange/SESSION/poll      Poll, answered with PollAnswer
 *   GET  /exchange/SESSION/chunk/N   answered with one verified chunk
 *   GET  /exchange/SESSION/manifest  answered with the packed manifest (api/packed-manifest.ts)
 *
 * Decoding uses the reader of LAN frames, which allocates only for bytes that are present. A
 * general decoder allocates an array of the claimed length for every three bytes of nested array
 * headers. Elements after the known ones belong to later versions and are skipped.
 */
import { encode } from "@msgpack/msgpack";
import { isIP } from "node:net";
import { limits } from "../../wire/index.ts";
import { deviceId } from "../../wire/fields.ts";
import { BodyReader } from "../../wire/reader.ts";

/** Upper bound on ranges of held chunks in one message; they take at most 80 KiB. */
export const heldRangesMax = 8_192;
const peersMax = 64;
const addressBytesMax = 64;
const deviceBytes = 16;

/** A request for the state of another device, with the state of the requester. */
export type Poll = {
  device: string;
  /** TCP port of the requester's exchange. */
  lanPort: number;
  /** Pairs of first chunk and chunk count. */
  heldRanges: number[];
  /** Whether the device receives the multicast, and requests only some chunks by unicast. */
  listens: boolean;
};
export type PollAnswer = {
  device: string;
  /** Pairs of first chunk and chunk count. */
  heldRanges: number[];
  /** Share of upload slots in use, 0 to 100. */
  load: number;
  /** Other devices of the session, which the requester may poll as well. */
  peers: { device: string; address: string; lanPort: number }[];
  /** Term in which the device leads a session of the package; 0 if it leads none. */
  leads: number;
};

export const encodePoll = (poll: Poll): Uint8Array =>
  encode([poll.device, poll.lanPort, poll.heldRanges, Number(poll.listens)]);

/** Returns null for anything but one valid message. */
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

/** Returns null for anything but one valid message. */
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

/** Does not check order and bounds of the ranges; `ChunkSet.fromRanges` does. */
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
    // A host name would cause a query to a name server, chosen by another device: refuse it.
    if (elements < 3 || device === null || isIP(address) === 0 || !lanPort) return null;
    if (!reader.skip(elements - 3)) return null;
    peers.push({ device, address, lanPort });
  }
  return peers;
}

const isOver = (reader: BodyReader, extra: number): boolean => reader.skip(extra) && reader.isAtEnd;
