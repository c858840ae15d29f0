import { afterEach, describe, expect, test } from "bun:test";
import { dropsOn, parseUdpTable, readDrops } from "../../platform/udp-table.ts";
import { openLanBus, type LanBus } from "./lan-bus.ts";
import { type Group } from "./multicast-group.ts";

/** Rows of Linux 6; the last one is from an older kernel with shorter object addresses. */
const table = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  357: 4346FFEF:1B9B 00000000:0000 07 00000000:00000D00 00:00000000 00000000  1000        0 23359 2 00000000f17a067f 17
  357: 4346FFEF:1B9B 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 40101 2 0000000000000000 5
   12: 00000000:0044 0100007F:A0B1 01 00000000:00000000 02:00000A2B 00000000     0        0 991 2 ffff8800 4294967296
  garbage
`;

describe("the table of UDP sockets in /proc/net/udp", () => {
  test.each([
    ["", []],
    ["   sl  local_address rem_address   st tx_queue\n", []],
    [
      "  357: 4346FFEF:1B9B 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000        0 23359 2\n",
      [],
    ],
    [
      table,
      [
        { port: 7_067, inode: "23359", drops: 17 },
        { port: 7_067, inode: "40101", drops: 5 },
        { port: 68, inode: "991", drops: 4_294_967_296 },
      ],
    ],
  ])("is parsed by column, and malformed lines are skipped: %#", (text, rows) => {
    expect(parseUdpTable(text)).toEqual(rows);
  });

  test.each([
    ["of the given sockets on the port", 7_067, ["23359", "7"], 17],
    ["of every socket on the port when the sockets are not known", 7_067, null, 22],
    ["of a port without a given socket as 0", 68, ["23359"], 0],
    ["of an empty list of sockets as 0", 7_067, [], 0],
  ])("counts the drops %s", (_, port, inodes, drops) => {
    expect(dropsOn(parseUdpTable(table), port, inodes && new Set(inodes))).toBe(drops);
  });
});

const open: LanBus[] = [];
afterEach(() => open.splice(0).forEach((bus) => bus.close()));

async function join(group: Group, receiveBufferBytes?: number): Promise<LanBus> {
  const bus = await openLanBus({
    interfaceAddress: "127.0.0.1",
    group,
    receiveBufferBytes,
    onBatch: () => {},
    onError: (error) => {
      throw error;
    },
  });
  open.push(bus);
  return bus;
}

describe.if(process.platform === "linux")("a bus on Linux", () => {
  test("counts the datagrams that a full receive buffer dropped while the process was busy", async () => {
    const group = { address: `239.193.${process.pid & 255}.1`, port: 20_000 + ((process.pid * 7) % 30_000) };
    const small = await join(group, 16_384);
    expect(small.receiveBufferBytes).toBe(16_384);
    expect(small.kernelDrops()).toBe(0);
    // One synchronous batch, so the event loop cannot read in between.
    const datagrams = Array.from({ length: 200 }, () => new Uint8Array(1_400));
    expect(small.sendBatch(datagrams)).toBe(200);
    const drops = small.kernelDrops()!;
    expect(drops).toBeGreaterThan(100);
    for (let waited = 0; small.counters.framesReceived + drops < 200 && waited < 5_000; waited += 10)
      await Bun.sleep(10);
    expect(small.counters.framesReceived + drops).toBe(200);
    expect(small.kernelDrops()).toBe(drops);
    expect(readDrops(group.port === 65_535 ? 1 : group.port + 1)).toBe(0);
  });

  test("requests the configured receive buffer and reports the granted size", async () => {
    const group = { address: `239.193.${process.pid & 255}.2`, port: 20_000 + ((process.pid * 7) % 30_000) };
    expect((await join(group, 65_536)).receiveBufferBytes).toBe(65_536);
    const given = (await join(group, 1_073_741_824)).receiveBufferBytes;
    expect(given).toBeGreaterThan(65_536);
    expect(given).toBeLessThanOrEqual(1_073_741_824);
  });
});
