/**
 * Wake-on-LAN with real programs in network namespaces. A sleeping machine is a namespace without
 * an agent, whose network card (wake-listener.py) starts the agent at its own magic packet. Needs
 * Linux, root and the programs below, or is skipped (network-test.ts).
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "bun:test";
import { inside } from "../scripts/lab/namespace.ts";
import { launch, outputOf, type RunningProgram } from "../scripts/rig/process.ts";
import type { TaskWake } from "../shared/api/schema/wakes.ts";
import { wakeRepeats } from "../shared/model/wake-on-lan.ts";
import { until } from "./harness.ts";
import { openLan } from "./lan.ts";
import { networkTest } from "./network-test.ts";
import { untilStatus, type Place } from "./place.ts";

const wakeTest = networkTest("ip", "nft", "curl", "python3");
const listener = join(import.meta.dir, "wake-listener.py");

type Lan = Awaited<ReturnType<typeof openLan>>;
type Heard = { readonly from: string; readonly to: string; readonly payload: string };

/** A machine whose agent is stopped, and whose network card listens. */
type Sleeper = {
  readonly place: Place;
  readonly id: string;
  readonly mac: string;
  readonly heard: () => Promise<readonly Heard[]>;
  readonly card: RunningProgram;
};

const idOf = async (place: Place): Promise<string> =>
  (await untilStatus(place, 30_000, ({ subnetId, connected }) => subnetId !== null && connected)).deviceId;

/** Stops the agent of a device, as a machine that shuts down does. */
async function sleep(lan: Lan, called: string, place: Place): Promise<Sleeper> {
  const id = await idOf(place);
  await place.device.stop();
  await until(
    () => `${called} does not leave`,
    20_000,
    async () => (await lan.devices()).find((one) => one.id === id && !one.connected) ?? null,
  );
  const namespace = inside(lan.names(called));
  const mac = (await outputOf([...namespace, "cat", "/sys/class/net/eth0/address"])).trim();
  const logFile = join(lan.folder, `${called}.card`);
  const card = launch({
    name: `${called}.card`,
    command: [...namespace, "python3", listener, "eth0"],
    logFile,
  });
  const lines = async (): Promise<string[]> =>
    (await readFile(logFile, "utf8").catch(() => "")).split("\n").filter(Boolean);
  await until(
    () => `the network card of ${called} does not listen`,
    20_000,
    async () => ((await lines()).includes("listening") ? true : null),
  );
  const heard = async (): Promise<Heard[]> =>
    (await lines()).slice(1).map((line) => {
      const [from = "", to = "", payload = ""] = line.split(" ");
      return { from, to, payload };
    });
  return { place, id, mac, heard, card };
}

const packetOf = (mac: string): string => "ff".repeat(6) + mac.replaceAll(":", "").repeat(16);

/** Waits until the network card of a machine has its packet, and starts the agent. */
async function wakeUp({ heard, mac, place }: Sleeper): Promise<void> {
  await until(
    () => "no magic packet arrives",
    60_000,
    async () => ((await heard()).some(({ payload }) => payload === packetOf(mac)) ? true : null),
  );
  place.device.restart();
}

wakeTest(
  "two awake devices of the subnet wake a targeted one, which completes the task, and no other one",
  async () => {
    await using lan = await openLan({ routers: 1 });
    const awake: Place[] = [];
    for (const [index, called] of ["a", "b", "c"].entries()) {
      await lan.add(called, { host: 10 + index, gateway: 1 });
      awake.push(await lan.start(called));
    }
    for (const [called, host] of [
      ["target", 20],
      ["idle", 21],
    ] as const)
      await lan.add(called, { host, gateway: 1 });
    const target = await sleep(lan, "target", await lan.start("target"));
    const idle = await sleep(lan, "idle", await lan.start("idle"));
    for (const place of awake) await idOf(place);
    try {
      const path = join(lan.folder, "tool.bin");
      await Bun.write(path, "tool".repeat(10_000));
      await lan.source.admin("publish", path, "--name", "tool", "--version", "1");
      const words = ["--action", "pre-cache", "--target", `device=${target.id}`, "--wake"];
      const taskId = Number(await lan.source.admin("task", "create", "tool", ...words));
      await wakeUp(target);
      const isDone = (task: { taskId: number; state: string }): boolean =>
        task.taskId === taskId && task.state === "complete";
      await untilStatus(target.place, 60_000, ({ tasks }) => tasks.some(isDone));

      // Two devices send, several times each, into the broadcast of the subnet.
      const packets = await until(
        () => "packets are missing",
        30_000,
        async () => {
          const all = await target.heard();
          return all.length >= 2 * wakeRepeats ? all : null;
        },
      );
      expect(packets).toHaveLength(2 * wakeRepeats);
      expect(new Set(packets.map(({ from }) => from)).size).toBe(2);
      for (const { to, payload } of packets)
        expect([to, payload]).toEqual(["ff:ff:ff:ff:ff:ff", packetOf(target.mac)]);
      // The machine that is not targeted receives the broadcasts, but none for its own card.
      expect((await idle.heard()).filter(({ payload }) => payload.includes(packetOf(idle.mac)))).toEqual([]);

      const wakes = JSON.parse(
        await lan.source.admin("task", "wakes", String(taskId), "--json"),
      ) as (TaskWake & {
        reason: string;
      })[];
      expect(wakes.map(({ deviceId, attempts }) => [deviceId, attempts])).toEqual([[target.id, 1]]);
      const [wake] = wakes;
      expect(wake!.wakers.map(({ sent }) => sent)).toEqual([true, true]);
      expect(wake!.wokeAtMs).toBeGreaterThanOrEqual(wake!.askedAtMs!);
      expect(wake!.reason).toStartWith("woken by ");
      const statuses = await Promise.all(awake.map((place) => untilStatus(place, 10_000, () => true)));
      expect(statuses.map(({ wakes: own }) => own.sent).toSorted()).toEqual([0, 1, 1]);
      const sender = statuses.find(({ wakes: own }) => own.sent === 1)!;
      expect(sender.wakes.lastMacs).toEqual([target.mac]);
    } finally {
      await Promise.all([target.card.stop("SIGKILL"), idle.card.stop("SIGKILL")]);
    }
  },
  240_000,
);
