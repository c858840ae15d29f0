/** A device as lists show it: by the name that an administrator gave, with its host name. */
import type { Device } from "../../api/schema/device.ts";

type Named = Pick<Device, "hostname" | "name">;

export const hostText = ({ hostname, name }: Named): string =>
  name === null ? hostname : `${name} (${hostname})`;

/** Whether a word of the command line is the id or a name of the device. Names ignore case. */
export const isNamed = (device: Named & { readonly deviceId: string }, word: string): boolean =>
  [device.deviceId, device.hostname, device.name].some((own) => own?.toLowerCase() === word.toLowerCase());
