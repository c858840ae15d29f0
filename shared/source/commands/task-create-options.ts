/** Options of `task create`: which of them belong together, and the disk of an image. */
import { Option } from "@commander-js/extra-typings";
import type { TaskAction } from "../../api/schema/common.ts";
import {
  anyDisk,
  machineEnds,
  parseDiskChoice,
  type ImageOrder,
  type MachineEnd,
} from "../../model/image-order.ts";
import { CommandError, usage } from "./command-error.ts";
import type { JsonOptions } from "./connect.ts";
import type { SignOptions } from "./signing.ts";

export type TaskCreateOptions = JsonOptions &
  SignOptions & {
    readonly from?: string | undefined;
    readonly action?: TaskAction | undefined;
    readonly command?: string | undefined;
    readonly run?: string | undefined;
    readonly setting?: string | undefined;
    readonly target?: string | undefined;
    readonly start?: string | undefined;
    readonly deadline?: string | undefined;
    readonly notWhile?: string | undefined;
    readonly expires?: string | undefined;
    readonly allowDowngrade?: true | undefined;
    readonly after?: string | undefined;
    readonly wake?: boolean | undefined;
    readonly disk?: string | undefined;
    readonly overwrite?: true | undefined;
    readonly then?: MachineEnd | undefined;
    readonly dryRun?: true | undefined;
  };

export const thenOption = () =>
  new Option("--then <end>", "what the machine does after the image and its command").choices(machineEnds);

/** @throws CommandError with exit status 2 */
export function checkCommand({ action, command, run, notWhile, deadline }: TaskCreateOptions): void {
  if (action === "run" && !command?.trim() && run === undefined) {
    throw new CommandError('--action run needs --run NAME or --command "…"', 2);
  }
  if (command !== undefined && run !== undefined) {
    throw new CommandError(
      "--run names a command of the package, --command is one itself: give one of them",
      2,
    );
  }
  if (
    action !== "run" &&
    action !== "image" &&
    action !== undefined &&
    (command !== undefined || run !== undefined)
  ) {
    throw new CommandError(`--command and --run belong to --action run: ${action} runs no command`, 2);
  }
  if (action === "pre-cache" && (notWhile !== undefined || deadline !== undefined)) {
    throw new CommandError("--not-while and --deadline belong to --action run: pre-cache runs nothing", 2);
  }
}

/** Returns the disk of a task that writes an image, from the options and the task of `--from`. */
export function imageOf(
  action: TaskAction,
  { disk, overwrite, then }: TaskCreateOptions,
  model: ImageOrder | null,
): ImageOrder | null {
  const isGiven = disk !== undefined || overwrite !== undefined || then !== undefined;
  if (action !== "image" && isGiven)
    throw new CommandError("--disk, --overwrite and --then belong to --action image", 2);
  if (action !== "image") return null;
  const given = disk === undefined ? undefined : usage(() => parseDiskChoice(disk));
  return {
    disk: given ?? model?.disk ?? anyDisk,
    overwrite: overwrite ?? model?.overwrite ?? false,
    machineEnd: then ?? model?.machineEnd ?? "stay",
  };
}
