/**
 * Faults of simulated worlds, by the names of model/fault.ts. Each fault draws its times, devices
 * and strength from its own random stream, and adds actions to the plan of the world. The same seed
 * gives the same plan.
 */
import type { FaultName as KnownFault } from "../model/fault.ts";
import { limits } from "../wire/index.ts";
import { guardedNames, readEveryMs } from "./guarded.ts";
import { goodConditions, type NetworkConditions } from "./network.ts";
import type { Random } from "./random.ts";
import type { SourceState, WebState } from "./source.ts";
import type { World } from "./world.ts";

/** World as a fault sees it while it is planned. */
type Plan = {
  readonly random: Random;
  readonly devices: readonly string[];
  readonly subnets: number;
  /** World time before which faults begin. */
  readonly activeMs: number;
  readonly symbolBytes: number;
  /** Runs an action at a world time. The last of these times ends the faults of the world. */
  at: (atMs: number, run: (world: World) => void) => void;
};

/** Draws when a fault begins, before `activeMs`, and when it ends. */
function drawInterval(plan: Plan, minMs: number, maxMs: number): { fromMs: number; untilMs: number } {
  const fromMs = plan.random.between(0, plan.activeMs);
  return { fromMs, untilMs: fromMs + plan.random.between(minMs, maxMs) };
}

const anyDevice = (plan: Plan): string => plan.random.pick(plan.devices);
const anySubnet = (plan: Plan): number => plan.random.whole(1, plan.subnets);

/**
 * Draws the affected device. In half of the cases the returned function chooses the representative
 * of its time, because faults of a representative affect the most devices.
 */
function drawAffected(plan: Plan): (world: World) => string {
  const named = anyDevice(plan);
  const subnet = anySubnet(plan);
  const picksLeader = plan.random.chance(0.5);
  return (world) => (picksLeader ? world.representatives(subnet)[0]?.name : undefined) ?? named;
}

/** Plans bad conditions. @param staysShare probability that they last for the whole world */
function conditions(plan: Plan, bad: Partial<NetworkConditions>, staysShare: number): void {
  const subnet = anySubnet(plan);
  const stays = plan.random.chance(staysShare);
  const { fromMs, untilMs } = drawInterval(plan, 2_000, 40_000);
  const names = Object.keys(bad) as (keyof NetworkConditions)[];
  const good = Object.fromEntries(names.map((name) => [name, goodConditions[name]]));
  plan.at(stays ? 0 : fromMs, (world) => world.conditions(subnet, bad));
  if (!stays) plan.at(untilMs, (world) => world.conditions(subnet, good));
}

/** Crashes a device, and starts it again; in 15 % of the cases it stays down. */
function crash(plan: Plan, kind: "process" | "power"): void {
  const { fromMs, untilMs } = drawInterval(plan, 100, 30_000);
  const affected = drawAffected(plan);
  const returns = plan.random.chance(0.85);
  plan.at(fromMs, (world) => {
    const name = affected(world);
    world.crash(name, kind);
    if (returns) world.at(untilMs, () => world.start(name));
  });
  plan.at(untilMs, () => {});
}

function source(plan: Plan, state: SourceState): void {
  const { fromMs, untilMs } = drawInterval(plan, 1_000, 60_000);
  plan.at(plan.random.chance(0.3) ? 0 : fromMs, (world) => world.setSource(state));
  plan.at(untilMs, (world) => world.setSource("up"));
}

function web(plan: Plan, state: WebState): void {
  const { fromMs, untilMs } = drawInterval(plan, 1_000, 60_000);
  plan.at(plan.random.chance(0.3) ? 0 : fromMs, (world) => world.setWeb(state));
  plan.at(untilMs, (world) => world.setWeb("up"));
}

/** Time of a stranger that outlasts all other faults; devices are complete before it ends. */
const idleHolderMs = 600_000;
const idlyEveryMs = 1_000;
/** Identity and address of a device that is on no simulated network. */
const stranger = { deviceId: "00000000000000ff", address: "10.99.99.99", lanPort: 9 };

/** Asks for the lease as a stranger does, with the highest term that the source takes. */
function askIdly(world: World, subnet: number, untilMs: number): void {
  const { deviceId, ...place } = stranger;
  const request = { taskId: 1, epoch: "", subnetId: String(subnet), uselessBytes: 0, ...place };
  const answer = world.source.lease(deviceId, { ...request, term: limits.counterMax });
  if (answer.result === "term-too-high") world.source.lease(deviceId, { ...request, term: answer.termMax });
  if (world.nowMs < untilMs) world.at(world.nowMs + idlyEveryMs, () => askIdly(world, subnet, untilMs));
}

export const faults = {
  loss: (plan) => {
    const stays = plan.random.chance(0.5);
    const loss = plan.random.between(0.005, stays ? 0.1 : 0.5);
    conditions(plan, { loss }, stays ? 1 : 0);
  },
  bursts: (plan) =>
    conditions(
      plan,
      { burstEveryMs: plan.random.between(500, 8_000), burstMs: plan.random.between(5, 400) },
      0.5,
    ),
  delay: (plan) =>
    conditions(plan, { delayMs: plan.random.between(2, 80), jitterMs: plan.random.between(0, 80) }, 0.5),
  duplicate: (plan) => conditions(plan, { duplicate: plan.random.between(0.01, 0.5) }, 0.5),
  reorder: (plan) => conditions(plan, { reorder: plan.random.between(0.01, 0.5) }, 0.5),
  corrupt: (plan) => conditions(plan, { corrupt: plan.random.between(0.001, 0.1) }, 0.5),
  mtu: (plan) => {
    // No symbol passes; with the smallest sizes, long control frames do not pass either.
    const mtuBytes = plan.random.whole(90, 66 + plan.symbolBytes - 1);
    conditions(plan, { mtuBytes }, 0.3);
  },
  prune: (plan) => {
    const name = anyDevice(plan);
    const what = plan.random.chance(0.5) ? "all" : "symbols";
    const { fromMs, untilMs } = drawInterval(plan, 3_000, 60_000);
    const stays = plan.random.chance(0.4);
    plan.at(stays ? 0 : fromMs, (world) => world.prune(name, what));
    if (!stays) plan.at(untilMs, (world) => world.prune(name, "nothing"));
  },
  partition: (plan) => {
    const subnet = anySubnet(plan);
    const inside = plan.devices.filter(() => plan.random.chance(0.5));
    const { fromMs, untilMs } = drawInterval(plan, 1_000, 60_000);
    plan.at(fromMs, (world) => world.partition(subnet, ...inside));
    plan.at(untilMs, (world) => world.repairNetwork());
  },
  "one-way": (plan) => {
    const [from, to] = [anyDevice(plan), anyDevice(plan)];
    const { fromMs, untilMs } = drawInterval(plan, 1_000, 60_000);
    plan.at(fromMs, (world) => world.oneWay(from, to));
    plan.at(untilMs, (world) => world.repairNetwork());
  },
  "disk-full": (plan) => {
    const affected = drawAffected(plan);
    const { fromMs, untilMs } = drawInterval(plan, 1_000, 60_000);
    plan.at(fromMs, (world) => {
      const name = affected(world);
      world.fillDisk(name, true);
      world.at(untilMs, () => world.fillDisk(name, false));
    });
    plan.at(untilMs, () => {});
  },
  "disk-slow": (plan) => {
    const affected = drawAffected(plan);
    const writeMs = plan.random.between(20, 800);
    const { fromMs, untilMs } = drawInterval(plan, 1_000, 30_000);
    plan.at(fromMs, (world) => {
      const name = affected(world);
      world.slowDisk(name, writeMs);
      world.at(untilMs, () => world.slowDisk(name, 0));
    });
    plan.at(untilMs, () => {});
  },
  "torn-write": (plan) => crash(plan, "power"),
  crash: (plan) => crash(plan, "process"),
  "command-crash": (plan) => {
    const name = anyDevice(plan);
    const [forMs, intoMs] = [plan.random.between(100, 10_000), plan.random.between(0, 500)];
    plan.at(0, (world) =>
      world.onCommand(name, () =>
        world.at(world.nowMs + intoMs, () => {
          world.crash(name);
          world.at(world.nowMs + forMs, () => world.start(name));
        }),
      ),
    );
  },
  "slow-port": (plan) => {
    const affected = drawAffected(plan);
    const rateBps = plan.random.between(10_000, 60_000);
    const { fromMs, untilMs } = drawInterval(plan, 1_000, 30_000);
    plan.at(fromMs, (world) => {
      const name = affected(world);
      world.setPort(name, { portBps: rateBps });
      world.at(untilMs, () => world.setPort(name, { portBps: null }));
    });
    plan.at(untilMs, () => {});
  },
  "short-link": (plan) => {
    const affected = drawAffected(plan);
    const stays = plan.random.chance(0.5);
    const symbolMaxBytes = plan.random.whole(limits.symbolMinBytes, plan.symbolBytes);
    const { fromMs, untilMs } = drawInterval(plan, 1_000, 60_000);
    plan.at(stays && plan.random.chance(0.5) ? 0 : fromMs, (world) => {
      const name = affected(world);
      world.setPort(name, { symbolMaxBytes });
      if (!stays) world.at(untilMs, () => world.setPort(name, { symbolMaxBytes: null }));
    });
    plan.at(untilMs, () => {});
  },
  "bit-flip": (plan) => {
    const affected = drawAffected(plan);
    // Single bits, or a large part of the disk.
    const share = plan.random.chance(0.5) ? 0.05 : 0.6;
    for (let i = plan.random.whole(1, 4); i > 0; i--)
      plan.at(drawInterval(plan, 0, 0).fromMs, (world) => {
        for (let chunk = 0; chunk < world.chunkCount; chunk++)
          if (plan.random.chance(share)) world.flipBit(affected(world), chunk);
      });
  },
  "file-change": (plan) => {
    const affected = drawAffected(plan);
    const change = plan.random.pick(["empties", "removes", "rewrites"] as const);
    plan.at(drawInterval(plan, 0, 0).fromMs, (world) => world.changeFile(affected(world), change));
  },
  jump: (plan) => {
    const name = anyDevice(plan);
    const byMs = plan.random.between(100, 120_000);
    plan.at(drawInterval(plan, 0, 0).fromMs, (world) => world.jump(name, byMs));
  },
  snapshot: (plan) => {
    const affected = drawAffected(plan);
    const { fromMs, untilMs } = drawInterval(plan, 100, 5_000);
    const byMs = plan.random.between(1_100, 3_600_000) * (plan.random.chance(0.5) ? 1 : -1);
    plan.at(fromMs, (world) => {
      const revert = world.device(affected(world)).snapshot(byMs);
      world.at(untilMs, revert);
    });
    plan.at(untilMs, () => {});
  },
  stall: (plan) => {
    const affected = drawAffected(plan);
    const { fromMs, untilMs } = drawInterval(plan, 100, 8_000);
    plan.at(fromMs, (world) => world.stall(affected(world), untilMs - fromMs));
    plan.at(untilMs, () => {});
  },
  sleep: (plan) => {
    const affected = drawAffected(plan);
    const countsTime = plan.random.chance(0.5);
    const { fromMs, untilMs } = drawInterval(plan, 2_000, 60_000);
    plan.at(fromMs, (world) => world.sleep(affected(world), untilMs - fromMs, countsTime));
    plan.at(untilMs, () => {});
  },
  restart: (plan) => {
    const affected = drawAffected(plan);
    const { fromMs, untilMs } = drawInterval(plan, 50, 10_000);
    plan.at(fromMs, (world) => {
      const name = affected(world);
      world.stop(name);
      world.at(untilMs, () => world.start(name));
    });
    plan.at(untilMs, () => {});
  },
  leave: (plan) => {
    const affected = drawAffected(plan);
    plan.at(drawInterval(plan, 0, 0).fromMs, (world) => world.leave(affected(world)));
  },
  roam: (plan) => {
    const affected = drawAffected(plan);
    const to = anySubnet(plan);
    const { fromMs, untilMs } = drawInterval(plan, 50, 20_000);
    plan.at(fromMs, (world) => {
      const name = affected(world);
      world.leave(name);
      world.at(untilMs, () => world.join(name, to));
    });
    plan.at(untilMs, () => {});
  },
  "bad-peer": (plan) => {
    const name = anyDevice(plan);
    plan.at(0, (world) => world.turnBad(name));
  },
  "source-down": (plan) => source(plan, "down"),
  "source-slow": (plan) => source(plan, "slow"),
  "source-errors": (plan) => source(plan, "errors"),
  "source-clock": (plan) => {
    const byMs = plan.random.between(-3_600_000, 3_600_000);
    plan.at(drawInterval(plan, 0, 0).fromMs, (world) => world.setSourceClock(byMs));
  },
  "new-keys": (plan) => {
    const why = plan.random.pick(["epoch", "removal"] as const);
    const { fromMs } = drawInterval(plan, 0, 0);
    plan.at(fromMs, (world) => world.keys.renew(why));
    // Devices check in one after the other.
    for (const name of plan.devices)
      plan.at(fromMs + plan.random.between(0, 3_000), (world) => world.wake(name));
  },
  "idle-holder": (plan) => {
    const subnet = anySubnet(plan);
    const { fromMs, untilMs } = drawInterval(plan, 1_000, 60_000);
    // In half of the worlds, devices have to be complete although the stranger continues.
    const isLasting = plan.random.chance(0.5);
    plan.at(fromMs, (world) => askIdly(world, subnet, isLasting ? fromMs + idleHolderMs : untilMs));
    if (!isLasting) plan.at(untilMs, () => {});
  },
  "line-cut": (plan) => {
    const subnet = anySubnet(plan);
    const { fromMs, untilMs } = drawInterval(plan, 1_000, 60_000);
    plan.at(fromMs, (world) => world.setLine(subnet, "cut"));
    plan.at(untilMs, (world) => world.setLine(subnet, "up"));
  },
  "web-down": (plan) => web(plan, "down"),
  "web-slow": (plan) => web(plan, "slow"),
  "web-errors": (plan) => web(plan, "errors"),
  "web-wrong": (plan) => web(plan, "wrong"),
  "web-silent": (plan) => web(plan, "silent"),
  guard: (plan) => {
    const affected = drawAffected(plan);
    // All devices after a power cut, or behind one telephone; half of these cases begin at once.
    const isShared = plan.random.chance(0.25);
    const isFirst = isShared && plan.random.chance(0.5);
    const condition = plan.random.pick(guardedNames);
    // A battery may stay in use, as other devices can complete the subnet. Others are needed again.
    const stays = condition === "battery" && plan.random.chance(0.25);
    const set = (world: World, names: readonly string[], holds: boolean): void => {
      for (const name of names) world.device(name).setCondition(condition, holds);
    };
    for (let times = stays ? 1 : plan.random.whole(1, 3); times > 0; times--) {
      // A metered network outlasts the wait for a WAN fallback.
      const { fromMs, untilMs } = drawInterval(plan, 500, condition === "metered" ? 200_000 : 60_000);
      plan.at(isFirst ? 0 : fromMs, (world) => {
        const names = isShared ? plan.devices : [affected(world)];
        set(world, names, true);
        if (!stays) world.at(untilMs, () => set(world, names, false));
      });
      plan.at(untilMs + 2 * readEveryMs, () => {});
    }
  },
} satisfies Partial<Record<KnownFault, (plan: Plan) => void>>;

/** Faults that are properties of the world, drawn in scenario.ts. */
export const traits = [
  "skew",
  "late",
  "no-multicast",
  "mixed-ranks",
  "setting",
  "wan-pause",
  "no-ranges",
  "little-memory",
  "shared-manifest",
  "all-present",
] as const satisfies KnownFault[];

type InjectedFault = keyof typeof faults;
export type FaultName = InjectedFault | (typeof traits)[number];
export const injectedFaults = Object.keys(faults) as InjectedFault[];
export const faultNames: readonly FaultName[] = [...injectedFaults, ...traits];
