/**
 * Messages of the LAN exchange: msgpack, sealed by seal.ts and framed by framing.ts.
 *
 *   request  [kind, from, to, ...]: the devices, and what the kind needs
 *   answer   to a poll: PollAnswer; otherwise the bytes of one verified chunk, or the packed
 *            manifest (api/packed-manifest.ts); to a probe: nothing
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

export type Asked =
  | { readonly kind: "poll"; readonly poll: Poll }
  | { readonly kind: "chunk"; readonly chunk: number }
  | { readonly kind: "manifest" }
  | { readonly kind: "probe" };
/** A request of one device to another, by their ids. */
export type ExchangeRequest = { readonly from: string; readonly to: string } & Asked;

const kinds = { poll: 1, chunk: 2, manifest: 3, probe: 4 } as const;
const kindsMax = 65_535;

export function encodeRequest(request: ExchangeRequest): Uint8Array {
  const head = [kinds[request.kind], request.from, request.to];
  if (request.kind === "chunk") return encode([...head, request.chunk]);
  if (request.kind !== "poll") return encode(head);
  const { lanPort, heldRanges, listens } = request.poll;
  return encode([...head, lanPort, heldRanges, Number(listens)]);
}

/** Returns null for anything but one valid request. */
export function decodeRequest(bytes: Uint8Array): ExchangeRequest | null {
  const reader = new BodyReader(bytes);
  const elements = reader.arrayLength(6 + limits.extraFieldsMax) ?? 0;
  const kind = reader.uint(kindsMax);
  const from = readDevice(reader);
  const to = readDevice(reader);
  if (from === null || to === null) return null;
  const ends = (known: number): boolean => elements >= known && isOver(reader, elements - known);
  switch (kind) {
    case kinds.poll: {
      const poll = readPoll(reader, from);
      return poll !== null && ends(6) ? { kind: "poll", from, to, poll } : null;
    }
    case kinds.chunk: {
      const chunk = reader.uint(limits.counterMax);
      return chunk !== null && ends(4) ? { kind: "chunk", from, to, chunk } : null;
    }
    case kinds.manifest:
      return ends(3) ? { kind: "manifest", from, to } : null;
    case kinds.probe:
      return ends(3) ? { kind: "probe", from, to } : null;
    default:
      return null;
  }
}

function readPoll(reader: BodyReader, device: string): Poll | null {
  const lanPort = reader.uint(limits.portMax);
  const heldRanges = readRanges(reader);
  const listens = reader.uint(1);
  if (!lanPort || heldRanges === null || listens === null) return null;
  return { device, lanPort, heldRanges, listens: listens === 1 };
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
