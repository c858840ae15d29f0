/** Rows of `bench faults`: which faults are injected into one receiver or into all, and when. */
import type { FaultName } from "../../shared/model/fault.ts";
import type { Cleanup } from "../rig/cleanup.ts";
import { portOf } from "../lab/site.ts";
import { impairEgress, clearFilters, limitRate, dropIngress } from "../lab/namespace.ts";
import { lanBurstBytes } from "../lab/topology.ts";
import type { WorldDevice } from "../lab/world.ts";
import type { BenchLan } from "./lan-world.ts";

export const faultRowNames = [
  "none",
  "slow-100",
  "slow-20",
  "killed",
  "frozen",
  "late",
  "loss-5",
  "bursts",
  "all-loss-1",
  "all-bursts",
  "all-reordered",
] as const;
export type FaultRowName = (typeof faultRowNames)[number];

export type FaultContext = {
  readonly lan: BenchLan;
  readonly faulty: WorldDevice;
  /** Duration of the transfer at the full rate. */
  readonly idealMs: number;
  /**
   * Runs an action some time after the first symbol. The end of the run cancels pending actions.
   */
  readonly after: (ms: number, action: () => Promise<void> | void) => void;
};
type FaultCase = {
  readonly about: string;
  /** Faults that the row injects. A receiver that crashes does not start again. */
  readonly faults: readonly FaultName[];
  /** One receiver is faulty; the others are the healthy ones. Default: all are alike. */
  readonly isOne?: true;
  /** Called before the task is created. */
  readonly before?: (context: FaultContext) => Promise<void>;
  /** Called at the first symbol. */
  readonly during?: (context: FaultContext) => void;
};

const frozenMs = 20_000;
const lateMs = 2_500;
const burstMs = 200;
/** Times of the two bursts, as shares of the ideal duration. */
const burstShares = [0.3, 0.6];

const slow =
  (mbit: number) =>
  async ({ lan, faulty }: FaultContext): Promise<void> => {
    const { router } = faulty.site;
    const port = portOf(lan.world.devices.indexOf(faulty));
    for (const [namespace, device] of [
      [router, port],
      [faulty.place.namespace, "eth0"],
    ] as const)
      await limitRate(namespace, device, mbit, Math.min(lanBurstBytes, Math.round(mbit * 1_000)));
  };

const burst = (context: FaultContext, devices: readonly WorldDevice[]): void => {
  for (const share of burstShares) {
    context.after(share * context.idealMs, async () => {
      await Promise.all(devices.map(({ place }) => dropIngress(place.namespace, "eth0", 100)));
      await Bun.sleep(burstMs);
      await Promise.all(devices.map(({ place }) => clearFilters(place.namespace)));
    });
  }
};

/**
 * 2 % of packets wait in a class of 6 Mbit/s, some milliseconds at 200 Mbit/s; 1 % are sent twice.
 */
const reorderShares = { latePercent: 2, twicePercent: 1, lateMbit: 6 } as const;

export const faultCases: Readonly<Record<FaultRowName, FaultCase>> = {
  none: { about: "no fault", faults: [] },
  "slow-100": {
    about: "one behind 100 Mbit/s (tbf)",
    faults: ["slow-port"],
    isOne: true,
    before: slow(100),
  },
  "slow-20": { about: "one behind 20 Mbit/s (tbf)", faults: ["slow-port"], isOne: true, before: slow(20) },
  killed: {
    about: "one killed at 25 %",
    faults: ["crash"],
    isOne: true,
    during: ({ after, idealMs, faulty }) => after(idealMs / 4, () => faulty.device?.kill()),
  },
  frozen: {
    about: "one frozen for 20 s at 25 %",
    faults: ["stall"],
    isOne: true,
    during: ({ after, idealMs, faulty }) => {
      const signal = (name: NodeJS.Signals) => void process.kill(faulty.device!.program.pid, name);
      after(idealMs / 4, () => signal("SIGSTOP"));
      after(idealMs / 4 + frozenMs, () => signal("SIGCONT"));
    },
  },
  late: {
    about: "one started 2.5 s late",
    faults: ["late"],
    isOne: true,
    during: ({ after, lan, faulty }) => after(lateMs, () => lan.world.start(faulty)),
  },
  "loss-5": {
    about: "one at 5 % loss (nft)",
    faults: ["loss"],
    isOne: true,
    before: ({ lan, faulty }) => lan.lose(5, [faulty]),
  },
  bursts: {
    about: "one receives nothing for 200 ms, twice",
    faults: ["bursts"],
    isOne: true,
    during: (context) => burst(context, [context.faulty]),
  },
  "all-loss-1": { about: "all at 1 % loss (nft)", faults: ["loss"], before: ({ lan }) => lan.lose(1) },
  "all-bursts": {
    about: "all receive nothing for 200 ms, twice",
    faults: ["bursts"],
    during: (context) => burst(context, context.lan.receivers),
  },
  "all-reordered": {
    about: "2 % late, 1 % twice, at the sender's port (nft + htb)",
    faults: ["reorder", "duplicate"],
    before: ({ lan }) => impairEgress(lan.sender.place.namespace, "eth0", reorderShares),
  },
};

/** Restores filters and rates of the network as it was built. */
export async function restoreNetwork({ lan, faulty }: Pick<FaultContext, "lan" | "faulty">): Promise<void> {
  await lan.lose(0);
  await clearFilters(lan.sender.place.namespace);
  const port = portOf(lan.world.devices.indexOf(faulty));
  for (const [namespace, device] of [
    [faulty.site.router, port],
    [faulty.place.namespace, "eth0"],
    [lan.sender.place.namespace, "eth0"],
  ] as const)
    await limitRate(namespace, device, 1_000, lanBurstBytes);
}

async function runAction(action: () => Promise<void> | void): Promise<void> {
  try {
    await action();
  } catch (error) {
    console.error(`Cannot inject the fault: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Runs actions at later times. `end` cancels pending actions and waits for running ones. */
export function createTimers(cleanup: Cleanup): { after: FaultContext["after"]; end: () => Promise<void> } {
  const timers: ReturnType<typeof setTimeout>[] = [];
  const running: Promise<void>[] = [];
  const end = async () => {
    for (const timer of timers) clearTimeout(timer);
    await Promise.allSettled(running);
  };
  cleanup.add("cancel pending faults", end);
  return {
    after: (ms, action) => void timers.push(setTimeout(() => void running.push(runAction(action)), ms)),
    end,
  };
}
