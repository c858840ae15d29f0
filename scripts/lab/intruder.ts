/**
 * An attacker on the LAN without any key. Until SIGTERM the program sends junk, replays of recorded
 * frames (also of ended tasks), and frames with changed bytes to the group. For recorded sessions
 * it also forges CLAIM, END, HAVE and RESIGN frames, sealed with a key of its own.
 *
 *     bun scripts/lab/intruder.ts ADDRESS:PORT INTERFACE_ADDRESS
 */
import { randomBytes, randomInt } from "node:crypto";
import dgram from "node:dgram";
import { nodeCrypto } from "../../shared/net/seal/aead.ts";
import { parseGroup } from "../../shared/net/lan/multicast-group.ts";
import { identityAt, uint32At } from "../../shared/wire/identity.ts";
import {
  createFrameWriter,
  createIncarnation,
  type ControlFrame,
  type FrameWriter,
} from "../../shared/wire/index.ts";
import { headerAt, headerBytes } from "../../shared/wire/layout.ts";

const sendEveryMs = 10;
const framesPerTurn = 12;
/** Upper bound on recorded frames; later ones replace recorded ones at random. */
const recordedMax = 500;

const group = parseGroup(process.argv[2] ?? "");
const interfaceAddress = process.argv[3] ?? "";
const recorded: Buffer[] = [];
const forgers = new Map<string, FrameWriter>();

const device = "0123456789abcdef";
const term = 4_000_000_000;
const forged: readonly ControlFrame[] = [
  { type: "resign", device, term, reason: "forged by an intruder" },
  { type: "claim", device, term, ticket: 0, lanPort: 1, haveCount: 1 },
  { type: "end", device, term, pass: 9, castRanges: [0, 1_000], symbolsSent: 1, sentAtMs: 0 },
  { type: "have", device, ranges: [0, 1_000], load: 0, lanPort: 1, toDevice: device },
];

function forgerFor(frame: Buffer): FrameWriter {
  const session = identityAt(frame, headerAt.session);
  let forger = forgers.get(session);
  if (!forger) {
    forger = createFrameWriter({
      crypto: nodeCrypto,
      deployment: uint32At(frame, headerAt.deployment),
      session,
      key: randomBytes(16),
      incarnation: createIncarnation(randomBytes(8).toString("hex")),
    });
    forgers.set(session, forger);
  }
  return forger;
}

function nextDatagram(): Uint8Array {
  const frame = recorded[randomInt(Math.max(1, recorded.length))];
  switch (frame ? randomInt(5) : 0) {
    case 0:
      return randomBytes(randomInt(1_473));
    case 1:
      return frame!;
    case 2: {
      const changed = Buffer.from(frame!);
      changed[headerBytes + randomInt(Math.max(1, changed.length - headerBytes))]! ^= 1 + randomInt(255);
      return changed;
    }
    case 3:
      return frame!.subarray(0, randomInt(frame!.length));
    default:
      return forgerFor(frame!).control(forged[randomInt(forged.length)]!);
  }
}

const receiveSocket = dgram.createSocket({ type: "udp4", reuseAddr: true });
receiveSocket.on("message", (datagram) => {
  // The intruder also receives and replays its own datagrams.
  if (datagram.length <= headerBytes) return;
  if (recorded.length < recordedMax) recorded.push(Buffer.from(datagram));
  else recorded[randomInt(recordedMax)] = Buffer.from(datagram);
});
receiveSocket.bind(group.port, group.address, () =>
  receiveSocket.addMembership(group.address, interfaceAddress),
);

const sendSocket = dgram.createSocket("udp4");
sendSocket.bind(0, interfaceAddress, () => {
  sendSocket.setMulticastInterface(interfaceAddress);
  setInterval(() => {
    for (let count = 0; count < framesPerTurn; count++) {
      const datagram = nextDatagram();
      sendSocket.send(datagram, group.port, group.address);
    }
  }, sendEveryMs);
});
process.on("SIGTERM", () => process.exit(0));
