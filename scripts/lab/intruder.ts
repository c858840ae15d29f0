/**
 * A program that speaks on a group it has no key for: junk, replays of what it hears, frames whose bytes it changed, and
 * frames sealed with a key of its own for a session it overheard.
 *
 *     bun scripts/lab/intruder.ts ADDRESS:PORT INTERFACE_ADDRESS          until SIGTERM
 */
import { randomBytes, randomInt } from "node:crypto";
import dgram from "node:dgram";
import { nodeCrypto } from "../../shared/net/aead.ts";
import { parseGroup } from "../../shared/net/lan-bus.ts";
import { identityAt, uint32At } from "../../shared/wire/identity.ts";
import { createFrameSender, createIncarnation, type FrameSender } from "../../shared/wire/index.ts";
import { headerAt, headerBytes } from "../../shared/wire/layout.ts";

const everyMs = 10;
const framesPerTurn = 12;
const keptFrames = 500;

const group = parseGroup(process.argv[2] ?? "");
const interfaceAddress = process.argv[3] ?? "";
const heard: Buffer[] = [];
const forgers = new Map<string, FrameSender>();

function forgerFor(frame: Buffer): FrameSender {
  const session = identityAt(frame, headerAt.session);
  let forger = forgers.get(session);
  if (!forger) {
    forger = createFrameSender({
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
      return forgerFor(frame!).control({
        type: "resign",
        device: "0123456789abcdef",
        term: 1,
        reason: "an intruder says so",
      });
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
