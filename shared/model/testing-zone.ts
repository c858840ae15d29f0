/** Time zones by name for tests, whatever zone the test runs in. */
import type { TimeZone } from "./time-zone.ts";

export function zoneIn(timeZone: string): TimeZone {
  const format = new Intl.DateTimeFormat("en-GB", {
    timeZone,
    dateStyle: "short",
    timeStyle: "medium",
    hourCycle: "h23",
  });
  return (utcMs) => {
    const [date, time] = format.format(utcMs).split(", ") as [string, string];
    const [day, month, year] = date.split("/");
    const wallMs = Date.parse(`${year}-${month}-${day}T${time}Z`);
    return wallMs - (utcMs - (((utcMs % 1_000) + 1_000) % 1_000));
  };
}
