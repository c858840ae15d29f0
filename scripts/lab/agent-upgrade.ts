/**
 * Scenario agent-upgrade: in the middle of a task, a second one replaces the agent of every device.
 * The package of that task is in the caches before, so that the WAN links carry the other package
 * alone. With a broken new agent, the old one has to run again.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { reasonsText } from "../../shared/model/reason.ts";
import { taskDetailSchema, type TaskDetail } from "../../shared/api/schema/admin.ts";
import { deviceListSchema } from "../../shared/api/schema/device.ts";
import { endStates } from "../../shared/api/schema/common.ts";
import { version as presentVersion } from "../../shared/version.ts";
import { build } from "../build/build.ts";
import { parseTargets } from "../build/targets.ts";
import { shareOf } from "../rig/task-watch.ts";
import type { World } from "./world.ts";

/** Higher than that of every program of this checkout. */
const nextVersion = "999.0.0";
const beginsAtShare = 0.5;
const pollMs = 500;
const confirmSeconds = { works: 60, broken: 10 };

export const upgradeSettingWords = (isBroken: boolean): string[] => [
  `upgradeConfirm=${isBroken ? confirmSeconds.broken : confirmSeconds.works}s`,
];

/** Result of the scenario; its fields are those of the JSON output. */
export type UpgradeResult = {
  readonly isBroken: boolean;
  /** Version that every device is to run in the end. */
  readonly expected: string;
  readonly packageBytes: number;
  /** Share of the other package at which the upgrade began, 0 … 1. */
  readonly beganAtShare: number;
  readonly devices: readonly {
    readonly name: string;
    readonly state: string;
    readonly reason: string;
    /** Version in the device list of the source. */
    readonly version: string;
    readonly endedAfterMs: number;
  }[];
};

export type AgentUpgrade = {
  /** To be called with the details of the other task: they decide when the upgrade begins. */
  readonly onDetail: (detail: TaskDetail) => void;
  /** Waits for the end of the upgrade on every device. */
  readonly result: (limitMs: number) => Promise<UpgradeResult>;
};

/** Builds and publishes the new agent, and waits until every device has its package. */
export async function prepareUpgrade(world: World, isBroken: boolean): Promise<AgentUpgrade> {
  console.error(`Building the ${isBroken ? "broken " : ""}agent ${nextVersion} …`);
  const path = join(world.folder, "agent");
  await mkdir(path);
  const [executable] = await build(parseTargets([]), ["peer"], path, {
    version: nextVersion,
    ...(isBroken && { entry: join(import.meta.dir, "broken-agent.ts") }),
  });
  const name = "flockcast-agent";
  const packageId = await world.source.admin(
    "publish",
    executable!,
    "--name",
    name,
    "--version",
    nextVersion,
  );
  const stored = await create(world, packageId, "pre-cache");
  await untilEnded(world, stored, 600_000);
  console.error("Every device has the package of the new agent.");
  let taskId: Promise<number> | null = null;
  let beganAtShare = 0;
  return {
    onDetail: ({ deviceList }) => {
      const share = Math.max(0, ...deviceList.map(shareOf));
      if (taskId !== null || share < beginsAtShare) return;
      beganAtShare = share;
      console.error("scenario: the agents are upgraded");
      taskId = create(world, packageId, "upgrade");
    },
    result: async (limitMs) => {
      if (taskId === null) throw new Error("the task ended before the upgrade began: give --size or --wan");
      const ended = await untilEnded(world, await taskId, limitMs);
      const shown = await world.source.admin("device", "list", "--json");
      const listed = v.parse(deviceListSchema.entries.devices, JSON.parse(shown));
      return {
        isBroken,
        expected: isBroken ? presentVersion : nextVersion,
        packageBytes: ended.packageBytes,
        beganAtShare,
        devices: world.devices.map(({ id, place }) => {
          const part = ended.deviceList.find(({ deviceId }) => deviceId === id);
          return {
            name: place.name,
            state: part?.state ?? "unknown",
            reason: reasonsText(part?.reasons ?? []),
            version: listed.find((device) => device.id === id)?.inventory?.agentVersion ?? "unknown",
            endedAfterMs: (part?.updatedAtMs ?? 0) - ended.createdAtMs,
          };
        }),
      };
    },
  };
}

const create = async ({ source }: World, packageId: string, action: string): Promise<number> =>
  Number(await source.admin("task", "create", packageId, "--action", action));

/** Waits until the task has ended on every device. @throws Error after `limitMs` */
async function untilEnded({ source, devices }: World, taskId: number, limitMs: number): Promise<TaskDetail> {
  const giveUpAtMs = performance.now() + limitMs;
  for (;;) {
    const shown = await source.admin("task", "show", String(taskId), "--json");
    const detail = v.parse(taskDetailSchema, JSON.parse(shown));
    const ended = detail.deviceList.filter(({ state }) => endStates.has(state));
    if (ended.length >= devices.length) return detail;
    if (performance.now() > giveUpAtMs) {
      const states = detail.deviceList.map(
        ({ hostname, state, reasons }) => `${hostname} ${state}: ${reasonsText(reasons)}`,
      );
      throw new Error(`task ${taskId} did not end in time:\n${states.join("\n")}`);
    }
    await Bun.sleep(pollMs);
  }
}

/** Returns one sentence for each device that does not run the expected version. */
export function upgradeProblems({ isBroken, expected, devices }: UpgradeResult): string[] {
  return devices.flatMap(({ name, state, reason, version }) => {
    const isRight = isBroken
      ? state === "failed" && reason.includes(`version ${expected} runs again`)
      : state === "complete" && reason.includes(`version ${expected} runs`);
    return isRight && version === expected
      ? []
      : [`${name}: the upgrade ended ${state}, the agent is version ${version}, not ${expected}: ${reason}`];
  });
}

export function upgradeLines({ isBroken, beganAtShare, devices }: UpgradeResult): string[] {
  const share = `${Math.floor(100 * beganAtShare)} %`;
  return [
    `The upgrade to ${isBroken ? "a broken agent" : "a new agent"} began when a device had ${share} of the package:`,
    ...devices.map(
      ({ name, state, version, reason, endedAfterMs }) =>
        `${name}: ${state} after ${(endedAfterMs / 1_000).toFixed(2)} s, runs version ${version}; ${reason}`,
    ),
  ];
}
