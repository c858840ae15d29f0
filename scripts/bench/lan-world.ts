/** The benchmarks' network: one LAN of a sender and its receivers, the source behind a link that limits nothing. */
import type { Ending } from "../ending.ts";
import { disturbNothing, loseArriving } from "../lab/namespace.ts";
import { openWorld, type World, type WorldDevice } from "../lab/world.ts";
import { outputOf } from "../process.ts";

export type LanShape = { readonly receivers: number; readonly size: number };
export type BenchLan = {
  readonly world: World;
  readonly sender: WorldDevice;
  readonly receivers: readonly WorldDevice[];
  /**
   * Publishes the same bytes as another package and answers its id and version: what devices of an earlier run hold,
   * and the lease that one of them had, do not touch the next run.
   */
  readonly publish: () => Promise<{ readonly packageId: string; readonly version: string }>;
  /** Each receiver loses that share of what arrives, by its own dice. */
  readonly lose: (percent: number) => Promise<void>;
};

/** Above what one processor moves through the source, so that the preparation is short; it is not measured. */
const wanMbit = 4_000;
const portMbit = 1_000;

export async function openLan(shape: LanShape, ending: Ending): Promise<BenchLan> {
  await makeRoomForHosts(ending);
  const world = await openWorld(
    {
      subnets: 1,
      devices: shape.receivers + 1,
      wan: wanMbit,
      lan: portMbit,
      loss: 0,
      size: shape.size,
      web: "source",
      roleOf: ({ name }) => (name === "s1-d1" ? "representative" : "peer"),
    },
    ending,
  );
  const [sender, ...receivers] = world.devices;
  let published = 0;
  return {
    world,
    sender: sender!,
    receivers,
    publish: async () => {
      const version = String(++published);
      return { packageId: await world.publish(version), version };
    },
    lose: async (percent) => {
      for (const { place } of receivers) {
        await disturbNothing(place.namespace);
        if (percent > 0) await loseArriving(place.namespace, "eth0", percent);
      }
    },
  };
}

/** The machine's limit for receive buffers; programs that ask for more get this much. */
export const limitReceiveBuffers = (sizeBytes: number, ending: Ending): Promise<void> =>
  setDuringRun("net.core.rmem_max", () => sizeBytes, ending);

/**
 * What one kernel shares among all hosts and each host of a LAN has for itself: the queue of a processor before it looks at
 * what devices brought (a burst is there once for each receiver), and the table of neighbours.
 */
async function makeRoomForHosts(ending: Ending): Promise<void> {
  await setDuringRun("net.core.netdev_max_backlog", (before) => Math.max(before, 100_000), ending);
  // From the last on, for a smaller one must not exceed a larger one.
  for (const step of [3, 2, 1])
    await setDuringRun(
      `net.ipv4.neigh.default.gc_thresh${step}`,
      (before) => Math.max(before, 8_192 * 2 ** step),
      ending,
    );
}

async function setDuringRun(key: string, valueOf: (before: number) => number, ending: Ending): Promise<void> {
  const before = Number(await outputOf(["sysctl", "-n", key]));
  const value = valueOf(before);
  if (value === before) return;
  ending.later(`set ${key} to ${before} again`, () => outputOf(["sysctl", "-w", `${key}=${before}`]).then());
  await outputOf(["sysctl", "-w", `${key}=${value}`]);
}
