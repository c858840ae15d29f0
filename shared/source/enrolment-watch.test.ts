/** Many enrolments in a short time reach the log and the metrics of the source. */
import { expect, test } from "bun:test";
import { Registry } from "prom-client";
import type { Logger } from "../log.ts";
import { openFixture } from "./app-fixture.ts";
import { enrolmentsAlarm, EnrolmentWatch } from "./enrolment-watch.ts";

const minuteMs = 60_000;

test("reports many enrolments once a window, with the address of most of them", async () => {
  const registry = new Registry();
  const logged: unknown[] = [];
  const log = { error: (fields: unknown) => logged.push(fields) } as unknown as Logger;
  const watch = new EnrolmentWatch(registry, log);
  const enrol = (count: number, nowMs: number): void => {
    for (let done = 0; done < count; done++) watch.count(done % 4 === 0 ? "192.0.2.2" : "192.0.2.1", nowMs);
  };
  enrol(enrolmentsAlarm - 1, 0);
  // A slow rollout is never reported.
  enrol(enrolmentsAlarm - 1, 10 * minuteMs);
  expect(logged).toEqual([]);
  enrol(1_000, 11 * minuteMs);
  expect(logged).toEqual([{ devices: 200, inMs: minuteMs, mostFrom: "192.0.2.1", most: 149 }]);
  enrol(enrolmentsAlarm, 20 * minuteMs);
  expect(logged.length).toBe(2);
  expect(await registry.metrics()).toContain("flockcast_source_enrolment_alarms_total 2");
});

test("counts devices that enrol at the source", async () => {
  const source = await openFixture();
  for (let index = 0; index < enrolmentsAlarm; index++) await source.device(`pc-${index}`);
  // Metrics cost the same with any number of devices.
  source.catalog.deviceList.scan = () => Promise.reject(new Error("all devices were read"));
  const text = await (await source.raw("GET", "/metrics")).text();
  expect(text).toContain("flockcast_source_enrolment_alarms_total 1");
  expect(text).toContain(`flockcast_source_devices ${enrolmentsAlarm}`);
  await source.close();
});
