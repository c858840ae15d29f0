/**
 * A program that speaks on a group it has no key for: junk, replays of what it hears (also of tasks that ended long ago),
 * frames whose bytes it changed, and claims, ENDs and resignations sealed with a key of its own for a session it overheard.
 *
 *     bun scripts/lab/intruder.ts ADDRESS:PORT INTERFACE_ADDRESS          until SIGTERM
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

const everyMs = 10;
const framesPerTurn = 12;
const keptFrames = 500;

const group = parseGroup(process.argv[2] ?? "");
const interfaceAddress = process.argv[3] ?? "";
const heard: Buffer[] = [];
const forgers = new Map<string, FrameWriter>();

const device = "0123456789abcdef";
const term = 4_000_000_000;
const forged: readonly ControlFrame[] = [
  { type: "resign", device, term, reason: "an intruder says so" },
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
  const frame = heard[randomInt(Math.max(1, heard.length))];
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

const ear = dgram.createSocket({ type: "udp4", reuseAddr: true });
ear.on("message", (datagram) => {
  // Its own voice comes back as well: some of it is said again.
  if (datagram.length <= headerBytes) return;
  if (heard.length < keptFrames) heard.push(Buffer.from(datagram));
  else heard[randomInt(keptFrames)] = Buffer.from(datagram);
});
ear.bind(group.port, group.address, () => ear.addMembership(group.address, interfaceAddress));

const mouth = dgram.createSocket("udp4");
mouth.bind(0, interfaceAddress, () => {
  mouth.setMulticastInterface(interfaceAddress);
  setInterval(() => {
    for (let count = 0; count < framesPerTurn; count++) {
      const datagram = nextDatagram();
      mouth.send(datagram, group.port, group.address);
    }
  }, everyMs);
});
process.on("SIGTERM", () => process.exit(0));
