/**
 * End of machines that were started for an image. Each has an identity in memory only, so its row
 * ends with the machine: the installed system enrols as a device of its own.
 */
import type { RemovalReason } from "../model/enrolment.ts";
import type { ImagingDevice } from "./catalog/index.ts";
import type { SourceContext } from "./context.ts";
import { removeDevices } from "./device-removal.ts";

/** A machine that waits for an approval, since its enrolment. */
export const pendingMsMax = 3_600_000;
/** A machine with a complete image and no connection: it has restarted, or was switched off. */
const imagedMsMax = 5 * 60_000;
/** Any other one without a connection: a person may have to look for its cable. */
const unseenMsMax = 6 * 3_600_000;
/** Rows of machines that were not approved. */
const refusedRowsMs = 86_400_000;
const why: RemovalReason = "imaging-ended";

type Context = Pick<SourceContext, "catalog" | "changeHub" | "noted" | "metrics" | "log" | "nowMs">;

/**
 * Removes earlier rows of a machine that was approved again, unless a device uses them: a machine
 * that lost its power knows its credential no more.
 */
export async function removeEarlierRows(
  context: Context & Pick<SourceContext, "liveness">,
  approvedId: string,
): Promise<void> {
  const earlier = await context.catalog.life.earlierImaging(approvedId);
  // The connection of a machine that lost its power may still seem to be open.
  const answers = await Promise.all(earlier.map((id) => context.liveness.answers(id)));
  const lost = earlier.filter((_, at) => !answers[at]);
  if (lost.length > 0) await removeDevices(context, lost, why);
}

/** Removes the machines that have ended. */
export async function endImagingDevices(context: Context): Promise<void> {
  const { catalog, changeHub, nowMs } = context;
  const now = nowMs();
  const hasEnded = ({ id, isPending, isImaged, enrolledAtMs, lastSeenAtMs }: ImagingDevice): boolean => {
    if (isPending) return now - enrolledAtMs >= pendingMsMax;
    if (changeHub.isConnected(id)) return false;
    // All devices lose their connection when the source restarts.
    if (!changeHub.isSettled(now)) return false;
    return now - lastSeenAtMs >= (isImaged ? imagedMsMax : unseenMsMax);
  };
  const ended = (await catalog.life.imaging()).filter(hasEnded).map(({ id }) => id);
  if (ended.length > 0) await removeDevices(context, ended, why);
  await catalog.life.deletePending(now - refusedRowsMs);
}
