import { afterEach, describe, expect, test } from "bun:test";
import { LanBusError, openLanBus, type LanBus } from "./lan-bus.ts";
import { type Group, parseGroup } from "./multicast-group.ts";

const open: LanBus[] = [];
afterEach(() => open.splice(0).forEach((bus) => bus.close()));

let used = 0;
/** Returns a group that only this process uses, so that concurrent test runs do not interfere. */
const ownGroup = (): Group => ({
  address: `239.192.${process.pid & 255}.${++used}`,
  port: 20_000 + ((process.pid * 7 + used) % 30_000),
});

async function join(group: Group, received: string[]): Promise<LanBus> {
  const bus = await openLanBus({
    interfaceAddress: "127.0.0.1",
    group,
    onBatch: (batch) => {
      for (let index = 0; index < batch.count; index++)
        received.push(Buffer.from(batch.datagram(index)).toString());
    },
    onError: (error) => {
      throw error;
    },
  });
  open.push(bus);
  return bus;
}
async function until(holds: () => boolean): Promise<void> {
  for (let waited = 0; !holds() && waited < 5_000; waited += 10) await Bun.sleep(10);
}

describe("the multicast bus", () => {
  test("delivers a datagram and a batch to every member of the group and to no other group", async () => {
    const group = ownGroup();
    const [a, b, other]: string[][] = [[], [], []];
    const first = await join(group, a!);
    await join(group, b!);
    await join({ address: ownGroup().address, port: group.port }, other!);
    first.send(Buffer.from("hello"));
    expect(first.sendBatch(["1", "2", "3"].map((text) => Buffer.from(text)))).toBe(3);
    await until(() => b!.length === 4);
    expect(b!.toSorted()).toEqual(["1", "2", "3", "hello"]);
    expect(first.counters).toMatchObject({ framesSent: 4, bytesSent: 8 });
    expect(other).toEqual([]);
  });

  test("counts a datagram that the system refuses, reports it once and keeps sending", async () => {
    const errors: Error[] = [];
    const bus = await openLanBus({
      interfaceAddress: "127.0.0.1",
      group: ownGroup(),
      onBatch: () => {},
      onError: (error) => errors.push(error),
    });
    open.push(bus);
    const tooLong = new Uint8Array(70_000);
    bus.send(tooLong);
    expect(bus.sendBatch([tooLong])).toBe(0);
    expect(bus.counters).toMatchObject({ framesSent: 0, framesUnsent: 1 });
    bus.send(tooLong);
    expect(bus.sendBatch([tooLong])).toBe(0);
    // One of each kind.
    expect(errors).toHaveLength(2);
    bus.send(Buffer.from("hello"));
    expect(bus.counters.framesSent).toBe(1);
  });

  test("refuses an address of no interface and lists the existing addresses", async () => {
    const wrong = openLanBus({
      interfaceAddress: "192.0.2.77",
      group: ownGroup(),
      onBatch: () => {},
      onError: () => {},
    });
    await expect(wrong).rejects.toThrow(LanBusError);
    await expect(wrong).rejects.toThrow(/"192.0.2.77": choose one of .*127\.0\.0\.1/);
  });

  test.each(["", "239.1.2.3", "10.0.0.1:7000", "239.1.2.300:7", "239.1.2.3:0", "239.1.2.3:70000", "x:1"])(
    "refuses %p as a group",
    (text) => {
      expect(() => parseGroup(text)).toThrow("write ADDRESS:PORT");
    },
  );

  test("parses a group", () => {
    expect(parseGroup("239.255.70.67:7067")).toEqual({ address: "239.255.70.67", port: 7_067 });
  });
});
