/**
 * Statements of devices in the catalog, as interfaces: the history of a device, its cache, and the
 * end of its log on request.
 */
import type { CachedPackage } from "../../api/schema/device-detail.ts";
import type { DeviceEvent } from "../../model/device-event.ts";

export type NotedEvent = { readonly atMs: number; readonly event: DeviceEvent };
export type CacheStatement = {
  readonly statedAtMs: number;
  readonly packages: readonly CachedPackage[];
};

/** Triggers of the catalog note events; check-ins store statements. */
export interface DeviceStatementStore {
  /** Returns the newest events first. */
  events(deviceId: string, limit: number): Promise<NotedEvent[]>;
  /** Returns null for a device that stated nothing. */
  cache(deviceId: string): Promise<CacheStatement | null>;
}

export type DeviceLogRecord = {
  /** Random text, 16 hex digits. */
  readonly request: string;
  readonly state: "waiting" | "taken" | "refused";
  readonly askedAtMs: number;
  /** Null while the request waits. */
  readonly answeredAtMs: number | null;
  readonly lines: readonly string[];
};

export interface DeviceLogStore {
  /** Asks for the end of a device's log, and removes the one that was there. */
  ask(deviceId: string, request: string, atMs: number): Promise<void>;
  /** Returns null for a device whose log nobody asked for. */
  read(deviceId: string): Promise<DeviceLogRecord | null>;
  /** Stores an answer to the request that waits. @returns whether it was that one */
  answer(
    deviceId: string,
    answer: Pick<DeviceLogRecord, "request" | "lines"> & {
      readonly isRefused: boolean;
      readonly atMs: number;
    },
  ): Promise<boolean>;
  /** Removes logs that came before this time, and requests that were made before the other one. */
  removeBefore(answeredAtMs: number, askedAtMs: number): Promise<void>;
}
