import { afterEach, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { answerBytes, greetingOf } from "./framing.ts";
import { LanProbes, type LanProbe } from "./probes.ts";
import { ExchangeServer } from "./server.ts";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

function openSide(device: string, isNear = true) {
  const confirmed: string[] = [];
  const probes = new LanProbes({
    device,
    isNear: () => isNear,
    onConfirmed: (id) => confirmed.push(id),
    onError: (error) => {
      throw error;
    },
  });
  const exchange = new ExchangeServer({
    interfaceAddress: "127.0.0.1",
    device,
    probes,
    onError: () => {},
  });
  closing.push(async () => {
    probes.clear();
    await exchange.close();
  });
  return { device, confirmed, probes, exchange };
}

const id = "00000000000000f0";
const secret = randomBytes(16);
type Side = ReturnType<typeof openSide>;
const probeOf = (peer: Side, more: Partial<LanProbe> = {}): LanProbe => ({
  id,
  secret,
  deviceId: peer.device,
  address: "127.0.0.1",
  lanPort: peer.exchange.lanPort,
  ...more,
});
const until = async (is: () => boolean): Promise<void> => {
  while (!is()) await Bun.sleep(5);
};
const sides = (isNear = true) =>
  [openSide("00000000000000aa", isNear), openSide("00000000000000bb")] as const;
/** Waits until the server has refused a number of requests. */
const untilRefused = ({ exchange }: Side, requests: number) =>
  until(() => exchange.counters.refused >= requests);

test("both devices confirm a probe, although only one of them can be reached", async () => {
  const [a, b] = sides();
  b.probes.begin(probeOf(a, { lanPort: 1 }));
  a.probes.begin(probeOf(b));
  await until(() => a.confirmed.length + b.confirmed.length === 2);
  expect([a.confirmed, b.confirmed]).toEqual([[id], [id]]);
  // A probe that the source repeats is not confirmed again.
  a.probes.begin(probeOf(b));
  expect(a.confirmed).toEqual([id]);
});

test("a device asks again until the other one knows the probe", async () => {
  const [a, b] = sides();
  a.probes.begin(probeOf(b));
  await untilRefused(b, 1);
  expect(a.confirmed).toEqual([]);
  b.probes.begin(probeOf(a, { lanPort: 1 }));
  await until(() => a.confirmed.length + b.confirmed.length === 2);
});

test("no device confirms with another secret, for another device, or from another address", async () => {
  const wrong: Partial<LanProbe>[] = [
    { secret: randomBytes(16) },
    { deviceId: "00000000000000cc" },
    { address: "127.0.0.9" },
  ];
  for (const more of wrong) {
    const [a, b] = sides();
    b.probes.begin(probeOf(a, { lanPort: 1, ...more }));
    a.probes.begin(probeOf(b));
    await untilRefused(b, 1);
    expect([a.confirmed, b.confirmed]).toEqual([[], []]);
  }
});

test("an answer that repeats the request is not a proof", async () => {
  const [a] = sides();
  const asked = Promise.withResolvers<void>();
  const mirror = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: (socket) => void socket.write(greetingOf(randomBytes(16))),
      data(socket, request) {
        asked.resolve();
        socket.write(Buffer.concat([Uint8Array.of(answerBytes.sealed), request.subarray(12)]));
      },
    },
  });
  closing.push(async () => mirror.stop(true));
  a.probes.begin({ id, secret, deviceId: a.device, address: "127.0.0.1", lanPort: mirror.port });
  await asked.promise;
  await Bun.sleep(50);
  expect(a.confirmed).toEqual([]);
});

test("a device does not ask an address outside its network", async () => {
  const [a, b] = sides(false);
  a.probes.begin(probeOf(b));
  b.probes.begin(probeOf(a));
  await untilRefused(a, 1);
  expect(b.exchange.counters.refused).toBe(0);
  expect([a.confirmed, b.confirmed]).toEqual([[], []]);
});
