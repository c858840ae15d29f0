/**
 * The bus on an interface whose MTU is not the usual one, in a network namespace of its own. Needs
 * Linux and root, or is skipped (network-test.ts).
 */
import { join } from "node:path";
import { expect } from "bun:test";
import * as v from "valibot";
import { runToEnd } from "../scripts/rig/process.ts";
import { networkTest } from "./network-test.ts";

const mtuTest = networkTest("ip", "unshare");
const busFile = join(import.meta.dir, "..", "shared/net/lan/lan-bus.ts");

const outcomeSchema = v.object({
  errors: v.array(v.string()),
  sends: v.array(v.number()),
  sizes: v.array(v.number()),
  received: v.array(v.number()),
});

/** Sends runs of frames of symbols, as long as the bus states, and prints what became of them. */
const script = `
  const { openLanBus } = await import(${JSON.stringify(busFile)});
  const errors = [];
  const received = [];
  const bus = await openLanBus({
    interfaceAddress: "127.0.0.1",
    group: { address: "239.192.7.7", port: 20777 },
    onBatch: (batch) => {
      for (let i = 0; i < batch.count; i++) received.push(batch.lengths[i]);
    },
    onError: (error) => errors.push(error.message),
  });
  const sends = [];
  const sizes = [];
  for (let i = 0; i < 8; i++) {
    const bytes = bus.symbolMaxBytes + 66;
    const run = new Uint8Array(20 * bytes).fill(i);
    sizes.push(bytes);
    sends.push(bus.sendRun(run, Array.from({ length: 20 }, (_, at) => run.subarray(at * bytes, (at + 1) * bytes))));
  }
  bus.send(new Uint8Array(548));
  const single = new Uint8Array(sizes[0]);
  sends.push(bus.sendRun(single, [single]));
  await Bun.sleep(300);
  bus.close();
  console.log(JSON.stringify({ errors, sends, sizes, received }));`;

mtuTest(
  "a run that exceeds the MTU makes the bus take the next smaller size, once and without fragments",
  async () => {
    // In this namespace /sys shows the interfaces of the host: the bus has to learn from refusals.
    const inside = `ip link set lo mtu 1400 up && exec ${process.execPath} -e "$SCRIPT"`;
    const run = await runToEnd(["unshare", "-n", "env", `SCRIPT=${script}`, "sh", "-c", inside]);
    expect(run.status, run.stderr).toBe(0);
    const { errors, sends, sizes, received } = v.parse(outcomeSchema, JSON.parse(run.stdout));
    expect(errors).toEqual([
      "The interface does not carry datagrams of 1466 bytes: sends at most 1372 bytes from now on",
    ]);
    expect(sizes).toEqual([1_466, ...Array.from({ length: 7 }, () => 1_370)]);
    expect(sends).toEqual([0, ...Array.from({ length: 7 }, () => 20), 0]);
    expect(received.filter((bytes) => bytes === 1_370)).toHaveLength(140);
    expect(received.filter((bytes) => bytes === 548)).toHaveLength(1);
    expect(received).toHaveLength(141);
  },
  30_000,
);
