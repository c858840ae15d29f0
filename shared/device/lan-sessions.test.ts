import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { nodeCrypto } from "../net/seal/aead.ts";
import { systemClock } from "../platform/system-clock.ts";
import { Datagrams } from "../simulation/lan.ts";
import type { Clock } from "../model/clock.ts";
import type { ControlFrame } from "../wire/index.ts";
import type { Group } from "./group.ts";
import { LanSessions } from "./lan-sessions.ts";

const newSessions = (clock: Clock = systemClock): LanSessions =>
  new LanSessions({
    deployment: 1,
    crypto: nodeCrypto,
    clock,
    newSender: () => randomBytes(8).toString("hex"),
  });
const groupTo = (sent: Uint8Array[]): Group => ({
  name: "test",
  counters: { framesSent: 0, framesReceived: 0, receiveCalls: 0, messagesReceived: 0 },
  kernelDrops: () => 0,
  send: (datagram) => void sent.push(datagram.slice()),
  symbolMaxBytes: 1_400,
  sendRun: () => 0,
});
const frame: ControlFrame = { type: "want", device: "aa".repeat(8), ranges: [0, 1], lanPort: 1 };
const senderOf = (datagram: Uint8Array): string => Buffer.from(datagram.subarray(20, 28)).toString("hex");

test("an error of one session hinders no other frame of the batch", () => {
  const keys = [randomBytes(16), randomBytes(16)];
  const sent: Uint8Array[] = [];
  const sender = newSessions();
  sender.attach(groupTo(sent));
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

test("a sender gets a new id on another interface, after a jump of a clock, and after ten minutes", () => {
  let [nowMs, wallMs] = [5_000_000, 1_800_000_000_000];
  const passes = (ms: number): void => void ((nowMs += ms), (wallMs += ms));
  const lan = newSessions({ nowMs: () => nowMs, wallMs: () => wallMs, after: () => () => {} });
  const sent: Uint8Array[] = [];
  const key = randomBytes(16);
  const session = lan.join(key, { onControl() {} });
  const receiver = newSessions();
  let received = 0;
  receiver.join(key, { onControl: () => void received++ });
  /** Whether the next frame has another sender id than the one before. */
  const isNew = (): boolean => {
    lan.send(session, frame);
    receiver.onBatch(new Datagrams(sent.slice(-1), "10.0.0.2"));
    return sent.length > 1 && senderOf(sent.at(-1)!) !== senderOf(sent.at(-2)!);
  };
  lan.attach(groupTo(sent));
  isNew();
  expect(isNew()).toBe(false);
  lan.attach(groupTo(sent));
  expect([isNew(), isNew()]).toEqual([true, false]);
  wallMs += 1_500;
  expect([isNew(), isNew()]).toEqual([true, false]);
  wallMs -= 3_600_000;
  expect([isNew(), isNew()]).toEqual([true, false]);
  nowMs -= 2_000;
  expect([isNew(), isNew()]).toEqual([true, false]);
  passes(599_000);
  expect(isNew()).toBe(false);
  passes(2_000);
  expect([isNew(), isNew()]).toEqual([true, false]);
  expect(received).toBe(sent.length);
});

test("frames of earlier own senders are not taken for those of another device", () => {
  const lan = newSessions();
  const sent: Uint8Array[] = [];
  let received = 0;
  const session = lan.join(randomBytes(16), { onControl: () => void received++ });
  for (let interfaces = 0; interfaces < 12; interfaces++) {
    lan.attach(groupTo(sent));
    lan.send(session, frame);
  }
  lan.onBatch(new Datagrams(sent, "10.0.0.1"));
  expect([received, lan.dropped.get("own")]).toEqual([0, 12]);
});
