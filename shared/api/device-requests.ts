/** Requests of the administrator's client that are about devices. */
import { allPages } from "./pages.ts";
import { ask, type Connection } from "./request.ts";
import {
  deviceCacheSchema,
  deviceEventsMax,
  deviceHistorySchema,
  deviceLogSchema,
  type DeviceCache,
  type DeviceHistory,
  type DeviceLog,
} from "./schema/device-detail.ts";
import {
  deviceListSchema,
  deviceRemovedSchema,
  deviceSchema,
  deviceTasksSchema,
  packageDevicesSchema,
  type Device,
  type DeviceRemoved,
  type DeviceTask,
  type PackageDevices,
} from "./schema/device.ts";

export type DeviceRequests = {
  /** @param filter target; without one, all devices */
  devices(filter?: string): Promise<Device[]>;
  /** @param words an id, or a host name or given name that one device has */
  device(words: string): Promise<Device>;
  deviceTasks(words: string, limit?: number): Promise<DeviceTask[]>;
  /** Returns what happened to the device, the newest event first. */
  deviceHistory(words: string, limit?: number): Promise<DeviceHistory>;
  deviceCache(words: string): Promise<DeviceCache>;
  /** Returns the end of the device's log that the source has. */
  deviceLog(words: string): Promise<DeviceLog>;
  /** Asks the device for the end of its log. */
  askForLog(words: string): Promise<DeviceLog>;
  /** @param name null: no name */
  renameDevice(words: string, name: string | null): Promise<Device>;
  approveDevice(words: string): Promise<Device>;
  removeDevice(words: string): Promise<DeviceRemoved>;
  /** Returns the devices that hold the package, or those that lack it. */
  packageDevices(words: string, lacking: boolean): Promise<PackageDevices>;
};

const devicePath = (words: string): string => `/v1/devices/${encodeURIComponent(words)}`;

export const deviceRequests = (connection: Connection): DeviceRequests => ({
  devices(filter) {
    const query = filter === undefined ? "" : `?filter=${encodeURIComponent(filter)}`;
    return allPages(connection, `/v1/devices${query}`, deviceListSchema, ({ devices }) => devices);
  },
  device: (words) => ask(connection, "GET", devicePath(words), deviceSchema),
  deviceTasks: async (words, limit = 1_000) =>
    (await ask(connection, "GET", `${devicePath(words)}/tasks?limit=${limit}`, deviceTasksSchema)).tasks,
  deviceHistory: (words, limit = deviceEventsMax) =>
    ask(connection, "GET", `${devicePath(words)}/history?limit=${limit}`, deviceHistorySchema),
  deviceCache: (words) => ask(connection, "GET", `${devicePath(words)}/cache`, deviceCacheSchema),
  deviceLog: (words) => ask(connection, "GET", `${devicePath(words)}/log`, deviceLogSchema),
  askForLog: (words) => ask(connection, "POST", `${devicePath(words)}/log`, deviceLogSchema),
  renameDevice: (words, name) =>
    ask(connection, "PATCH", devicePath(words), deviceSchema, { json: { name } }),
  approveDevice: (words) => ask(connection, "POST", `${devicePath(words)}/approve`, deviceSchema),
  removeDevice: (words) => ask(connection, "DELETE", devicePath(words), deviceRemovedSchema),
  async packageDevices(words, lacking) {
    const path = `/v1/packages/${encodeURIComponent(words)}/devices?lacking=${lacking}`;
    let named: PackageDevices | null = null;
    const devices = await allPages(connection, path, packageDevicesSchema, (answer) => {
      named = answer;
      return answer.devices;
    });
    return { ...named!, devices };
  },
});
