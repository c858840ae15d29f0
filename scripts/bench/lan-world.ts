/**
 * Network of the benchmarks: one LAN with a sender and receivers, and the source behind a fast
 * link.
 */
import type { Cleanup } from "../rig/cleanup.ts";
import { clearFilters } from "../lab/namespace.ts";
import { loseAt, passRunsAt } from "../lab/topology.ts";
import { openWorld, type World, type WorldDevice } from "../lab/world.ts";

type LanShape = {
  readonly receivers: number;
  readonly size: number;
  readonly cutRuns?: boolean | undefined;
};
export type BenchLan = {
  readonly world: World;
  readonly sender: WorldDevice;
  readonly receivers: readonly WorldDevice[];
  /**
   * Publishes the same bytes as another package and returns its id and version. A run is therefore
   * independent of the copies and the lease of an earlier one.
   */
  readonly publish: () => Promise<{ readonly packageId: string; readonly version: string }>;
  /**
   * Makes receivers lose a share of the arriving packets, independently of each other. Default: all
   * receivers.
   */
  readonly lose: (percent: number, devices?: readonly WorldDevice[]) => Promise<void>;
};

/** Rate above that of the source on one processor. The preparation is short and not measured. */
const wanMbit = 4_000;
const portMbit = 1_000;

/** Builds the LAN. The first device is the sender and always volunteers. */
export async function openLan(shape: LanShape, cleanup: Cleanup): Promise<BenchLan> {
  const world = await openWorld(
    {
      subnets: 1,
      devices: shape.receivers + 1,
      wan: wanMbit,
      lan: portMbit,
      loss: 0,
      size: shape.size,
      cutRuns: shape.cutRuns,
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
      return { packageId: await world.publish({ ...world.sent, version }), version };
    },
    lose: async (percent, devices = receivers) => {
      for (const device of devices) {
        const { site, place } = device;
        const at = site.devices.indexOf(place);
        await clearFilters(place.namespace);
        if (percent > 0) await loseAt(site, at, percent);
        else if (!shape.cutRuns) await passRunsAt(site, at);
      }
    },
  };
}
