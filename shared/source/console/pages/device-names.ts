/** Names of devices in one list: those that share a name get the beginning of their id. */
import type { Device } from "../../../api/schema/device.ts";

export type Named = Pick<Device, "name" | "hostname">;

/** Returns the name that people know a device by. */
export const nameOf = ({ name, hostname }: Named): string => name ?? hostname;

/** Returns the name of a device's subnet, or the network of the interface in use. */
export const subnetOf = ({ subnetName, inventory }: Pick<Device, "subnetName" | "inventory">): string =>
  subnetName ?? inventory?.interfaces.find(({ active }) => active)?.cidr ?? "–";

const idShown = 6;

/**
 * Returns what to call each device of a list.
 * @param idOf id of a device
 */
export function namesIn<T extends Named>(
  devices: readonly T[],
  idOf: (device: T) => string,
): (device: T) => string {
  const byName = Map.groupBy(devices, nameOf);
  return (device) => {
    const name = nameOf(device);
    return (byName.get(name)?.length ?? 0) > 1 ? `${name} (${idOf(device).slice(0, idShown)})` : name;
  };
}
