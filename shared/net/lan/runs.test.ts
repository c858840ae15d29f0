/** Runs of datagrams over a real socket: UDP_SEGMENT at the sender, UDP_GRO at the receiver. */
import { afterEach, describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { batchDatagramsMax } from "../../wire/datagram-batch.ts";
import { limits } from "../../wire/limits.ts";
import { openLanBus, type LanBus } from "./lan-bus.ts";

const open: LanBus[] = [];
afterEach(() => open.splice(0).forEach((bus) => bus.close()));

let used = 0;
async function join(): Promise<{ bus: LanBus; received: Uint8Array[]; addresses: Set<string> }> {
  const received: Uint8Array[] = [];
  const addresses = new Set<string>();
  const bus = await openLanBus({
    interfaceAddress: "127.0.0.1",
    group: {
      address: `239.195.${process.pid & 255}.${++used}`,
      port: 20_000 + ((process.pid * 13 + used) % 30_000),
    },
    onBatch: (batch) => {
      for (let index = 0; index < batch.count; index++) {
        received.push(batch.datagram(index).slice());
        addresses.add(batch.fromAddress(index));
      }
    },
    onError: (error) => {
      throw error;
    },
  });
  open.push(bus);
  return { bus, received, addresses };
}

type Run = { count: number; bytes: number; lastBytes: number };
let filled = 0;
/** Datagrams with different contents, one after the other. */
function runOf({ count, bytes, lastBytes }: Run): { run: Uint8Array; datagrams: Uint8Array[] } {
  const run = new Uint8Array((count - 1) * bytes + lastBytes);
  for (let at = 0; at < run.length; at++) run[at] = (filled += 7) % 251;
  const datagrams = Array.from({ length: count }, (_, index) =>
    run.subarray(index * bytes, Math.min(run.length, (index + 1) * bytes)),
  );
  return { run, datagrams };
}

async function until(holds: () => boolean): Promise<void> {
  for (let waited = 0; !holds() && waited < 5_000; waited += 2) await Bun.sleep(2);
}

describe.if(process.platform === "linux")("runs of datagrams on Linux", () => {
  test("arrive as one message each, and whole", async () => {
    const { bus, received, addresses } = await join();
    const sent: Uint8Array[] = [];
    for (let i = 0; i < 3; i++) {
      const { run, datagrams } = runOf({ count: 44, bytes: 1_472, lastBytes: 90 });
      expect(bus.sendRun(run, datagrams)).toBe(44);
      sent.push(...datagrams);
      await until(() => received.length === sent.length);
    }
    expect(received).toEqual(sent);
    expect(bus.counters.messagesReceived).toBe(3);
    expect(bus.counters.receiveCalls).toBeLessThanOrEqual(3);
    expect([...addresses]).toEqual(["127.0.0.1"]);
  });

  test("arrive whole, whatever lengths came before", async () => {
    const bytes = fc.oneof(
      fc.integer({ min: 1, max: limits.datagramMaxBytes }),
      fc.constantFrom(
        1,
        900,
        limits.datagramMaxBytes - 1,
        limits.datagramMaxBytes,
        1_472,
        2_016,
        2_017,
        2_048,
      ),
    );
    const anyRun = fc
      .tuple(fc.oneof(fc.integer({ min: 1, max: batchDatagramsMax }), fc.constantFrom(1, 2, 44, 45)), bytes)
      .chain(([count, each]) =>
        fc.record<Run>({
          // An IPv4 packet has room for 65,507 bytes.
          count: fc.constant(Math.max(1, Math.min(count, Math.floor(65_507 / each)))),
          bytes: fc.constant(each),
          lastBytes: fc.integer({ min: 1, max: each }),
        }),
      );
    const { bus, received, addresses } = await join();
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(anyRun, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 4 }),
        async (bursts) => {
          received.length = 0;
          const sent: Uint8Array[] = [];
          for (const runs of bursts) {
            for (const { run, datagrams } of runs.map(runOf)) {
              // A loopback interface has an MTU of 65,536: a single datagram may be of any length.
              expect(bus.sendRun(run, datagrams)).toBe(datagrams.length);
              sent.push(...datagrams);
            }
            await until(() => received.length >= sent.length);
          }
          // Runs that are sent on two processors may overtake each other.
          expect(received.toSorted(Buffer.compare)).toEqual(sent.toSorted(Buffer.compare));
          expect([...addresses]).toEqual(["127.0.0.1"]);
        },
      ),
      { numRuns: 40 },
    );
    expect(bus.kernelDrops()).toBe(0);
  });

  test("are counted as the datagrams in them when a full receive buffer drops them", async () => {
    const { bus, received } = await join();
    const { run, datagrams } = runOf({ count: 44, bytes: 1_400, lastBytes: 1_400 });
    expect(bus.sendRun(run, datagrams)).toBe(44);
    await until(() => received.length === 44);
    let sent = 44;
    // One synchronous loop, so that the event loop cannot read in between.
    for (; sent < 44 * 1_000 && bus.kernelDrops() === 0; sent += 44) bus.sendRun(run, datagrams);
    for (let i = 0; i < 20; i++, sent += 44) bus.sendRun(run, datagrams);
    const drops = bus.kernelDrops()!;
    expect(drops).toBe(21 * 44);
    await until(() => received.length + drops === sent);
    expect(received.length + drops).toBe(sent);
  });

  test("a datagram longer than any frame keeps a length that no frame has", async () => {
    const { bus, received } = await join();
    bus.send(new Uint8Array(60_000));
    await until(() => received.length === 1);
    expect(received[0]!.length).toBeGreaterThan(limits.datagramMaxBytes);
  });
});
