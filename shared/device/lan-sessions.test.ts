import { describe, expect, test } from "bun:test";
import { LanSessions } from "./lan-sessions.ts";

const group = { address: `239.194.${process.pid & 255}.1`, port: 20_000 + ((process.pid * 11) % 30_000) };

async function open(receiveBufferBytes: number, said: string[] = []): Promise<LanSessions> {
  const lan = new LanSessions({
    deployment: 1,
    receiveBufferBytes,
    onAdvice: (advice) => said.push(advice),
    onError: (error) => {
      throw error;
    },
  });
  await lan.open("127.0.0.1", group);
  return lan;
}

describe.if(process.platform === "linux")("the LAN of a device on Linux", () => {
  test("remembers what the kernel dropped after its socket is gone", async () => {
    const lan = await open(16_384);
    expect(lan.kernelDrops).toBe(0);
    lan.bus!.sendBatch(Array.from({ length: 200 }, () => new Uint8Array(1_400)));
    const drops = lan.kernelDrops!;
    expect(drops).toBeGreaterThan(100);
    lan.close();
    expect(lan.kernelDrops).toBe(drops);
    await lan.open("127.0.0.1", group);
    expect(lan.kernelDrops).toBe(drops);
    lan.close();
  });

  test("says what to do when the system gives a smaller buffer, and nothing otherwise", async () => {
    const said: string[] = [];
    (await open(16_384, said)).close();
    expect(said).toEqual([]);
    const lan = await open(2 ** 30, said);
    const isLess = lan.bus!.receiveBufferBytes < 2 ** 30;
    lan.close();
    expect(said.filter((advice) => advice.includes("net.core.rmem_max=1073741824"))).toHaveLength(
      isLess ? 1 : 0,
    );
  });
});
