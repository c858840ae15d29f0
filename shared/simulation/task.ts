/** The only task of a simulated world, as the source sends it to a device. */
import type { AgentTask } from "../api/schema/agent.ts";
import { defaultSettingValues } from "../model/setting.ts";
import { conditionsOf } from "./run-conditions.ts";
import type { SettingUser, WorldOptions } from "./context.ts";
import { guardValues } from "./guarded.ts";
import type { TaskKeys } from "./keys.ts";
import { taskId } from "./layout.ts";
import type { Package } from "./package.ts";

/** Returns the options of a device: every second one of a subnet may have another setting. */
export const optionsOf = (
  options: WorldOptions,
  { hasSecondSetting }: Pick<SettingUser, "hasSecondSetting">,
): WorldOptions => (hasSecondSetting ? { ...options, ...options.secondSetting } : options);

export function taskOf(
  world: WorldOptions,
  published: Package,
  keys: TaskKeys,
  device: SettingUser,
): AgentTask {
  const options = optionsOf(world, device);
  const { useMulticast, startDelayMs, lanRateBps, pausesDownloads, wanFallback, useDeputy, runsCommand } =
    options;
  const { name, version } = published.manifest;
  const conditions = conditionsOf(options.runConditions ?? null);
  return {
    id: taskId,
    packageId: published.id,
    packageName: name,
    packageVersion: version,
    action: options.upgradesAgent ? "upgrade" : runsCommand ? "run" : "pre-cache",
    epoch: "",
    sequence: 0,
    createdAtMs: 0,
    command: runsCommand && !options.upgradesAgent ? "./install" : null,
    run: null,
    startAtMs: 0,
    startIsLocal: false,
    ...conditions.task,
    after: null,
    afterEpoch: "",
    expiresAtMs: null,
    attempt: 1,
    paused: false,
    allowDowngrade: false,
    taskKey: keys.task.toBase64(),
    packageKey: keys.package.toBase64(),
    packageKeyBefore: keys.packageBefore?.toBase64() ?? null,
    image: null,
    overrides: false,
    setting: {
      name: "default",
      version: 1,
      parents: [],
      values: {
        ...defaultSettingValues,
        useMulticast,
        sessionStartDelayMs: startDelayMs,
        startWhenAllPresent: options.startsWhenPresent,
        lanRateBps,
        wanRateBps: pausesDownloads ? 0 : null,
        wanFallback,
        useDeputy,
        representativeWeight: device.profile.weight,
        ...guardValues,
        ...conditions.values,
      },
    },
  };
}
