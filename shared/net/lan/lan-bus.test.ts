import { afterEach, describe, expect, test } from "bun:test";
import { LanBusError, openLanBus, type LanBus } from "./lan-bus.ts";
import { type Group, parseGroup } from "./multicast-group.ts";

const open: LanBus[] = [];
afterEach(() => open.splice(0).forEach((bus) => bus.close()));

let used = 0;
/** A group of this process's own, so that runs beside each other do not meet. */
const ownGroup = (): Group => ({
  address: `239.192.${process.pid & 255}.${++used}`,
  port: 20_000 + ((process.pid * 7 + used) % 30_000),
});

async function join(group: Group, heard: string[]): Promise<LanBus> {
  const bus = await openLanBus({
    interfaceAddress: "127.0.0.1",
    group,
    onBatch: (batch) => {
      for (let index = 0; index < batch.count; index++)
        heard.push(Buffer.from(batch.datagram(index)).toString());
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
  test("everyone in the group hears a datagram and a batch, nobody in another group does", async () => {
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

  test("a datagram that the system refuses is counted and said once; it stops nobody", async () => {
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
    expect(errors).toHaveLength(1);
    bus.send(Buffer.from("hello"));
    expect(bus.counters.framesSent).toBe(1);
  });

  test("an address that is no interface is refused with the addresses there are", async () => {
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
    "%p is not a group",
    (text) => {
      expect(() => parseGroup(text)).toThrow("write ADDRESS:PORT");
    },
  );

  test("a group is read as it is written", () => {
    expect(parseGroup("239.255.70.67:7067")).toEqual({ address: "239.255.70.67", port: 7_067 });
  });
});
