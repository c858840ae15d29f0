/**
 * What happens in the middle of a task, at every site: a device that comes late, one that is killed and starts again,
 * the representative that is killed (at half, or when the option says), a switch that is mended. Half means that the
 * site's representative holds half of the package.
 */
import type { TaskDetail } from "../../shared/api/schema/admin.ts";
import { shareOf } from "../rig/task-watch.ts";
import { removeImpairments } from "./impairment.ts";
import type { Scenario } from "./options.ts";
import type { World, WorldDevice } from "./world.ts";

const restartAfterMs = 2_000;
/** A killed representative stays away until another one leads, at most this long. */
const takeoverLimitMs = 20_000;

export type ScenarioRun = {
  /** Devices that do not start with the others. */
  readonly heldBack: readonly WorldDevice[];
  readonly onDetail: (detail: TaskDetail) => void;
  readonly cancel: () => void;
};

/** The last device of each site. */
const lastOfEach = (world: World): WorldDevice[] =>
  world.network.sites.map((site) => world.devices.findLast((device) => device.site === site)!);

const representativeOf = (world: World, site: string, detail: TaskDetail): WorldDevice | undefined => {
  const leads = (id: string) =>
    detail.deviceList.some(({ deviceId, role }) => deviceId === id && role === "representative");
  return world.devices.find((device) => device.site.name === site && leads(device.id));
};

function log(text: string): void {
  console.error(`scenario: ${text}`);
}

function kill(device: WorldDevice, what: string): void {
  log(`${device.place.name} (${what}) is killed`);
  void device.device?.kill();
}

/** @param atShare of the package: when the site's representative holds so much of it, it happens */
export function startScenario(world: World, scenario: Scenario | undefined, atShare = 0.5): ScenarioRun {
  const heldBack = scenario === "late" || scenario === "cached" ? lastOfEach(world) : [];
  const begun = new Set<string>();
  const timers: ReturnType<typeof setTimeout>[] = [];
  const later = (ms: number, action: () => void) => void timers.push(setTimeout(action, ms));
  /** Killed representatives by site. */
  const fallen = new Map<string, { device: WorldDevice; untilMs: number }>();
  const startAgain = (device: WorldDevice) => {
    log(`${device.place.name} starts`);
    void world.start(device);
  };
  const happen = (site: string, representative: WorldDevice) => {
    if (scenario === "late") for (const device of heldBack) if (device.site.name === site) startAgain(device);
    if (scenario === "restart") {
      const peer = world.devices.find((device) => device.site.name === site && device !== representative);
      if (!peer) return;
      kill(peer, "peer");
      later(restartAfterMs, () => startAgain(peer));
    }
    if (scenario === "mend") {
      log(`what hinders multicast at ${site} is gone`);
      void removeImpairments(world.network.sites.find(({ name }) => name === site)!);
    }
    if (scenario === "kill-representative") {
      kill(representative, "representative");
      fallen.set(site, { device: representative, untilMs: performance.now() + takeoverLimitMs });
    }
  };
  const raiseFallen = (detail: TaskDetail) => {
    for (const [site, { device, untilMs }] of fallen) {
      const leads = world.devices.some(
        (other) =>
          other !== device &&
          other.site.name === site &&
          detail.deviceList.some(({ deviceId, role }) => deviceId === other.id && role === "representative"),
      );
      if (!leads && performance.now() < untilMs) continue;
      fallen.delete(site);
      later(restartAfterMs, () => startAgain(device));
    }
  };
  return {
    heldBack,
    onDetail: (detail) => {
      if (scenario === undefined || scenario === "cached") return;
      for (const { name } of world.network.sites) {
        const representative = representativeOf(world, name, detail);
        const seen = detail.deviceList.find(({ deviceId }) => deviceId === representative?.id);
        if (!representative || !seen || shareOf(seen) < atShare || begun.has(name)) continue;
        begun.add(name);
        happen(name, representative);
      }
      raiseFallen(detail);
    },
    cancel: () => {
      for (const timer of timers) clearTimeout(timer);
    },
  };
}
