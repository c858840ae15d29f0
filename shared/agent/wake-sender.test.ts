/** The limits that a device keeps when the source asks it to wake machines, and what it tells. */
import { expect, test } from "bun:test";
import type { WakeResult } from "../api/schema/agent.ts";
import { createLogger } from "../log.ts";
import type { OwnInterface } from "../model/neighbour.ts";
import { wakeRepeats, wakesPerMinute, type WakeMode } from "../model/wake-on-lan.ts";
import { WakeSender } from "./wake-sender.ts";

const lan: OwnInterface = { address: "10.0.0.5", cidr: "10.0.0.5/24" };
const macOf = (index: number): string => `02:00:00:00:00:${index.toString(16).padStart(2, "0")}`;
const idOf = (index: number): string => index.toString(16).padStart(16, "0");

function newSender({ own = lan as OwnInterface | null, mode = "allow" as WakeMode, fails = false } = {}) {
  const bursts: string[][] = [];
  const results: WakeResult[] = [];
  const clock = { nowMs: 0 };
  const sender = new WakeSender({
    log: createLogger("test", "silent"),
    mode: () => mode,
    activeInterface: () => own,
    async send(_, macs) {
      if (fails) throw new Error("no buffer space");
      bursts.push(macs.map((mac) => Buffer.from(mac).toString("hex")));
    },
    nowMs: () => clock.nowMs,
    wallMs: () => 1_000 + clock.nowMs,
    sleep: async () => {},
  });
  const client = { wakeResult: async (result: WakeResult) => void results.push(result) };
  const ask = async (id: number, macs: readonly string[]): Promise<WakeResult | undefined> => {
    const before = results.length;
    sender.take([{ id: idOf(id), macs: [...macs] }], client);
    await Bun.sleep(5);
    return results.slice(before)[0];
  };
  return { ask, bursts, clock, sender };
}

test("each machine of a request gets its packet several times, and the source is told once", async () => {
  const { ask, bursts, sender } = newSender();
  expect(await ask(1, [macOf(1), macOf(2)])).toEqual({
    id: idOf(1),
    sent: [macOf(1), macOf(2)],
    refused: null,
  });
  expect(bursts).toEqual(Array.from({ length: wakeRepeats }, () => ["020000000001", "020000000002"]));
  expect(await ask(1, [macOf(3)])).toBeUndefined();
  expect(sender.status).toEqual({
    sent: 2,
    leftOut: 0,
    lastAtMs: 1_000,
    lastMacs: [macOf(1), macOf(2)],
    refused: null,
  });
});

test("a lying source does not make a device send to groups, or other text than addresses", async () => {
  const { ask, bursts } = newSender();
  const macs = ["ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "00:00:00:00:00:00", "10.0.0.7", ""];
  expect(await ask(1, macs)).toMatchObject({ sent: [], refused: "limit" });
  expect(bursts).toEqual([]);
});

test("a lying source does not make a device send more than its limits", async () => {
  const { ask, clock, sender } = newSender();
  const many = Array.from({ length: wakesPerMinute }, (_, index) => macOf(index + 1));
  expect((await ask(1, many))!.sent).toHaveLength(wakesPerMinute);
  expect(await ask(2, [macOf(200)])).toMatchObject({ sent: [], refused: "limit" });
  clock.nowMs = 60_000;
  // A machine is not woken again within minutes.
  expect(await ask(3, [macOf(1), macOf(200), macOf(200)])).toMatchObject({
    sent: [macOf(200)],
    refused: "limit",
  });
  expect(sender.status).toMatchObject({ sent: wakesPerMinute + 1, leftOut: 3, refused: "limit" });
});

test.each([
  ["the setting forbids it", { mode: "never" as const }, "setting"],
  ["it has no interface", { own: null }, "no-network"],
  ["its network has no broadcast", { own: { address: "10.0.0.5", cidr: "10.0.0.5/32" } }, "no-network"],
  ["the system refuses the packet", { fails: true }, "not-sent"],
])("a device tells why it sends nothing when %s", async (_, shape, refused) => {
  const { ask, bursts, sender } = newSender(shape);
  expect(await ask(1, [macOf(1)])).toEqual({ id: idOf(1), sent: [], refused } as WakeResult);
  expect(bursts).toEqual([]);
  expect(sender.status).toMatchObject({ sent: 0, leftOut: 1, refused, lastAtMs: null });
});
