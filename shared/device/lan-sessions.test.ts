import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { nodeCrypto } from "../net/seal/aead.ts";
import { systemClock } from "../platform/system-clock.ts";
import { Datagrams } from "../simulation/lan.ts";
import type { ControlFrame } from "../wire/index.ts";
import { LanSessions } from "./lan-sessions.ts";

const newSessions = (): LanSessions =>
  new LanSessions({
    deployment: 1,
    crypto: nodeCrypto,
    clock: systemClock,
    newSender: () => randomBytes(8).toString("hex"),
  });

test("an error of one session hinders no other frame of the batch", () => {
  const keys = [randomBytes(16), randomBytes(16)];
  const sent: Uint8Array[] = [];
  const sender = newSessions();
  const counters = { framesSent: 0, framesReceived: 0, receiveCalls: 0, messagesReceived: 0 };
  sender.attach({
    name: "test",
    counters,
    kernelDrops: () => 0,
    send: (datagram) => void sent.push(datagram.slice()),
    symbolMaxBytes: 1_400,
    sendRun: () => 0,
  });
  const frame: ControlFrame = { type: "want", device: "aa".repeat(8), ranges: [0, 1], lanPort: 1 };
  const sessions = keys.map((key) => sender.join(key, { onControl() {} }));
  for (const session of [sessions[0]!, sessions[1]!, sessions[0]!, sessions[1]!]) sender.send(session, frame);

  const receiver = newSessions();
  let received = 0;
  receiver.join(keys[0]!, {
    onControl() {
      throw new Error("disk I/O error");
    },
  });
  receiver.join(keys[1]!, { onControl: () => void received++ });
  expect(() => receiver.onBatch(new Datagrams(sent, "10.0.0.2"))).toThrow("disk I/O error");
  expect(received).toBe(2);
});
