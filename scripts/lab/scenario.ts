/**
 * Scenarios of the lab, at every site. In the middle of a task, a device starts late, a peer or the
 * representative is killed and starts again, or impairments of multicast are removed. The middle is
 * when the site's representative holds half of the package, or the share of `--kill-at`.
 */
import type { TaskDetail } from "../../shared/api/schema/admin.ts";
import { shareOf } from "../rig/task-watch.ts";
import { removeImpairments } from "./impairment.ts";
import { lowerMtu } from "./mtu.ts";
import { faultsOfScenarios, type Scenario } from "./options.ts";
import type { World, WorldDevice } from "./world.ts";

const restartAfterMs = 2_000;
/** Upper bound on how long a killed representative waits for a successor before it starts again. */
const takeoverLimitMs = 20_000;

type ScenarioRun = {
  /** Devices that do not start with the others, but in the middle or for the second task. */
  readonly heldBack: readonly WorldDevice[];
  /** To be called with all details of the task: they decide when the scenario acts. */
  readonly onDetail: (detail: TaskDetail) => void;
  /** Cancels starts that are still pending. */
  readonly cancel: () => void;
};

/** Scenarios that act by further tasks. */
const actsElsewhere: ReadonlySet<Scenario> = new Set(["cached", "new-version", "agent-upgrade"]);

/** The last device of each site. */
const lastOfEach = (world: World): WorldDevice[] =>
  world.network.sites.map((site) => world.devices.findLast((device) => device.site === site)!);

const leads = (device: WorldDevice, { deviceList }: TaskDetail): boolean =>
  deviceList.some(({ deviceId, role }) => deviceId === device.id && role === "representative");

const representativeOf = (world: World, site: string, detail: TaskDetail): WorldDevice | undefined =>
  world.devices.find((device) => device.site.name === site && leads(device, detail));

const hasSuccessor = (world: World, killed: WorldDevice, detail: TaskDetail): boolean =>
  world.devices.some((other) => other !== killed && other.site === killed.site && leads(other, detail));

function log(text: string): void {
  console.error(`scenario: ${text}`);
}

function kill(device: WorldDevice, role: string): void {
  log(`${device.place.name} (${role}) is killed`);
  void device.device?.kill();
}

/** @param atShare share of the package, 0 … 1, at which the scenario acts on a site */
export function startScenario(world: World, scenario: Scenario | undefined, atShare = 0.5): ScenarioRun {
  const fault = scenario === undefined ? null : faultsOfScenarios[scenario];
  const heldBack = fault === "late" || scenario === "cached" ? lastOfEach(world) : [];
  /** Sites on which the scenario acted. */
  const done = new Set<string>();
  const timers: ReturnType<typeof setTimeout>[] = [];
  const later = (ms: number, action: () => void) => void timers.push(setTimeout(action, ms));
  /** Killed representatives by site, with the time at which each starts again at the latest. */
  const killed = new Map<string, { device: WorldDevice; untilMs: number }>();
  const start = (device: WorldDevice) => {
    log(`${device.place.name} starts`);
    void world.start(device);
  };
  const crash = (site: string, representative: WorldDevice) => {
    if (scenario === "kill-representative") {
      kill(representative, "representative");
      killed.set(site, { device: representative, untilMs: performance.now() + takeoverLimitMs });
      return;
    }
    const peer = world.devices.find((device) => device.site.name === site && device !== representative);
    if (!peer) return;
    kill(peer, "peer");
    later(restartAfterMs, () => start(peer));
  };
  const act = (site: string, representative: WorldDevice) => {
    if (fault === "late") for (const device of heldBack) if (device.site.name === site) start(device);
    if (fault === "crash") crash(site, representative);
    if (scenario === "mtu") {
      const falling = world.network.sites.find(({ name, mtuFalls }) => name === site && mtuFalls);
      if (falling) log(`the MTU of ${site} falls`);
      if (falling) void lowerMtu(falling);
    }
    if (scenario === "mend") {
      log(`the impairments of multicast at ${site} are removed`);
      void removeImpairments(world.network.sites.find(({ name }) => name === site)!);
    }
  };
  const restartKilled = (detail: TaskDetail) => {
    for (const [site, { device, untilMs }] of killed) {
      if (!hasSuccessor(world, device, detail) && performance.now() < untilMs) continue;
      killed.delete(site);
      later(restartAfterMs, () => start(device));
    }
  };
  return {
    heldBack,
    onDetail: (detail) => {
      if (scenario === undefined || actsElsewhere.has(scenario)) return;
      for (const { name } of world.network.sites) {
        const representative = representativeOf(world, name, detail);
        const seen = detail.deviceList.find(({ deviceId }) => deviceId === representative?.id);
        if (!representative || !seen || shareOf(seen) < atShare || done.has(name)) continue;
        done.add(name);
        act(name, representative);
      }
      restartKilled(detail);
    },
    cancel: () => {
      for (const timer of timers) clearTimeout(timer);
    },
  };
}
