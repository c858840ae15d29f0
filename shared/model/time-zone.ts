/**
 * Time zones, as the offset of a wall clock from UTC at a time, and wall clocks in them. A time of
 * a wall clock may not occur, or occur twice, when its offset changes. Pure.
 */

/** Returns the offset of the wall clock from UTC in milliseconds, at a time in UTC. */
export type TimeZone = (utcMs: number) => number;

export const dayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;
export type Day = (typeof dayNames)[number];

/** Time on the wall clock of a device; `minute` counts from midnight. */
export type WallTime = { readonly day: Day; readonly minute: number };
export type WallClock = (utcMs: number) => WallTime;

const minuteMs = 60_000;
const dayMs = 86_400_000;

/** Zone of this device. */
export const deviceZone: TimeZone = (utcMs) => -new Date(utcMs).getTimezoneOffset() * minuteMs;

export const wallClockIn =
  (zone: TimeZone): WallClock =>
  (utcMs) => {
    const at = new Date(utcMs + zone(utcMs));
    return { day: dayNames[at.getUTCDay()]!, minute: at.getUTCHours() * 60 + at.getUTCMinutes() };
  };

/** Clock of this device in its zone. */
export const deviceClock: WallClock = wallClockIn(deviceZone);

/** Offsets of the first and the last zone of the world: UTC+14 and UTC-12. */
export const firstZoneMs = 14 * 3_600_000;
export const lastZoneMs = -12 * 3_600_000;

/**
 * Returns the UTC time at which a wall clock shows a time. A time that occurs twice is the first
 * one. A time that is skipped is later by the skipped time: 02:30 becomes 03:30.
 *
 * @param nominalMs time of the wall clock, as if it were UTC
 */
export function utcOfWallTime(nominalMs: number, zone: TimeZone): number {
  // One change of the offset at most is within a day of a time.
  const before = nominalMs - zone(nominalMs - dayMs);
  const after = nominalMs - zone(nominalMs + dayMs);
  const shown = [before, after].filter((utcMs) => utcMs + zone(utcMs) === nominalMs);
  return shown.length === 0 ? before : Math.min(...shown);
}
