/** The benchmarks' network: one LAN of a sender and its receivers, the source behind a link that limits nothing. */
import type { Cleanup } from "../rig/cleanup.ts";
import { clearFilters, dropIngress } from "../lab/namespace.ts";
import { openWorld, type World, type WorldDevice } from "../lab/world.ts";

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

export async function openLan(shape: LanShape, cleanup: Cleanup): Promise<BenchLan> {
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
    cleanup,
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
        await clearFilters(place.namespace);
        if (percent > 0) await dropIngress(place.namespace, "eth0", percent);
      }
    },
  };
}
