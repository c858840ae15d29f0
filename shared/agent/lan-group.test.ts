import { describe, expect, test } from "bun:test";
import { LanSessions } from "../device/lan-sessions.ts";
import { nodeCrypto } from "../net/seal/aead.ts";
import { systemClock } from "../platform/system-clock.ts";
import { LanGroup } from "./lan-group.ts";

const group = { address: `239.194.${process.pid & 255}.1`, port: 20_000 + ((process.pid * 11) % 30_000) };

async function open(receiveBufferBytes: number, advices: string[] = []) {
  const lan = new LanSessions({
    deployment: 1,
    crypto: nodeCrypto,
    clock: systemClock,
    newSender: () => "00000000000000aa",
  });
  const lanGroup = new LanGroup({
    lan,
    receiveBufferBytes,
    onAdvice: (advice) => advices.push(advice),
    onError: (error) => {
      throw error;
    },
  });
  await lanGroup.open("127.0.0.1", group);
  return { lan, lanGroup };
}

describe.if(process.platform === "linux")("the group of a device on Linux", () => {
  test("keeps the count of kernel drops when its socket is closed and another one opened", async () => {
    const { lan, lanGroup } = await open(16_384);
    expect(lan.kernelDrops).toBe(0);
    lanGroup.bus!.sendBatch(Array.from({ length: 200 }, () => new Uint8Array(1_400)));
    const drops = lan.kernelDrops!;
    expect(drops).toBeGreaterThan(100);
    lanGroup.close();
    expect(lan.kernelDrops).toBe(drops);
    await lanGroup.open("127.0.0.1", group);
    expect(lan.kernelDrops).toBe(drops);
    lanGroup.close();
  });

  test("gives advice when the system gives a smaller buffer than requested, and none otherwise", async () => {
    const advices: string[] = [];
    (await open(16_384, advices)).lanGroup.close();
    expect(advices).toEqual([]);
    const { lanGroup } = await open(2 ** 30, advices);
    const isLess = lanGroup.bus!.receiveBufferBytes < 2 ** 30;
    lanGroup.close();
    expect(advices.filter((advice) => advice.includes("net.core.rmem_max=1073741824"))).toHaveLength(
      isLess ? 1 : 0,
    );
  });
});
