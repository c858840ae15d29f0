/** The device that a request of an administrator names. */
import { readApprovalCode } from "../../model/approval-code-text.ts";
import { ApiError } from "../api-error.ts";
import type { DeviceRecord } from "../catalog/index.ts";
import type { SourceContext } from "../context.ts";

/** Ids that an error lists. */
const listedMax = 20;

/**
 * Returns the machine that waits with this code, else the device with this id, or the only one with
 * this host name or given name. Removed devices are found only where none else has the name.
 *
 * @param which `kept`: a removed device is refused
 * @param isVisible whether the person of the request may see a device; the others do not exist
 * @throws ApiError 404 for no device, 409 for several or a removed one
 */
export async function deviceNamed(
  { catalog }: SourceContext,
  words: string,
  which: "all" | "kept" = "all",
  isVisible: (device: DeviceRecord) => boolean = () => true,
): Promise<DeviceRecord> {
  const code = readApprovalCode(words);
  const pending = code === null ? null : await catalog.life.withCode(code);
  if (pending !== null && isVisible(pending)) return pending;
  const found = (await catalog.life.named(words)).filter(isVisible);
  const kept = found.filter(({ life }) => life.state !== "removed");
  const candidates = kept.length > 0 ? kept : found;
  const device = candidates.find(({ id }) => id === words) ?? candidates[0];
  if (device === undefined)
    throw new ApiError(404, `No device "${words}"`, "write an id or a host name; device list shows all");
  if (candidates.length > 1 && device.id !== words) {
    const ids = candidates.slice(0, listedMax).map(({ id }) => id);
    const more = candidates.length > listedMax ? " …" : "";
    throw new ApiError(
      409,
      `${candidates.length} devices are named "${words}"`,
      `give one of ${ids.join(", ")}${more}`,
    );
  }
  if (which === "kept" && device.life.state === "removed")
    throw new ApiError(409, `Device ${device.id} (${device.hostname}) is removed`, "it may enrol again");
  return device;
}
