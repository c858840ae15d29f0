/** Times of the end of a device's log at the source: how long a request waits, and a log stays. */
import type { SourceContext } from "./context.ts";

/** A request that the device has not answered is over; a check-in comes once a day by default. */
export const logRequestMs = 2 * 86_400_000;
/** The source keeps what a device sent. */
export const logMs = 3_600_000;

/** Removes logs and requests whose time is over. */
export const removeOldLogs = ({ catalog, nowMs }: Pick<SourceContext, "catalog" | "nowMs">): Promise<void> =>
  catalog.logs.removeBefore(nowMs() - logMs, nowMs() - logRequestMs);
