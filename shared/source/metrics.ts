/** Prometheus metrics of the source, in a registry of their own. */
import { Counter, Gauge, Registry } from "prom-client";
import type { Catalog } from "./catalog/catalog.ts";
import { readOrder } from "../model/trust/index.ts";
import { version } from "../version.ts";
import type { ChangeHub } from "./change-hub.ts";

export type SourceMetrics = {
  readonly registry: Registry;
  readonly requests: Counter<"method" | "route" | "status">;
  readonly leases: Counter<"result">;
  readonly fallbacks: Counter<"result">;
  readonly deviceEvents: Counter<"event">;
  readonly webhooks: Counter<"result">;
  readonly bootRequests: Counter<"file" | "status">;
};

export function createSourceMetrics(catalog: Catalog, changeHub: ChangeHub): SourceMetrics {
  const registry = new Registry();
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number | Promise<number>): void => {
    const made: Gauge = new Gauge({
      name,
      help,
      registers,
      async collect() {
        made.set(await read());
      },
    });
  };
  gauge("flockcast_source_devices", "Devices enrolled", () => catalog.devices.count());
  gauge(
    "flockcast_source_devices_connected",
    "Devices whose event stream is open",
    () => changeHub.connectedDevices,
  );
  gauge(
    "flockcast_source_tasks_active",
    "Tasks that are neither ended, cancelled nor paused",
    async () => (await catalog.tasks.open()).filter(({ state }) => state === "active").length,
  );
  new Gauge({
    name: "flockcast_build_info",
    help: "Always 1; the label is the source's version",
    labelNames: ["version"],
    registers,
  }).set({ version }, 1);
  gauge("flockcast_source_memory_bytes", "Resident memory of the source", () => process.memoryUsage.rss());
  gauge(
    "flockcast_source_fresh_until_seconds",
    "End of the operators' word that nothing is kept back, seconds since 1970; 0: none was given",
    () => freshUntil(catalog),
  );
  addWanTotals(catalog, registry);
  return {
    registry,
    requests: new Counter({
      name: "flockcast_source_requests_total",
      help: "HTTP requests answered",
      labelNames: ["method", "route", "status"],
      registers,
    }),
    leases: resultCounter(registry, "flockcast_source_leases_total", "Lease requests by result"),
    fallbacks: resultCounter(
      registry,
      "flockcast_source_fallbacks_total",
      "Requests for a WAN fallback token by result",
    ),
    deviceEvents: deviceEventCounter(registry),
    webhooks: webhookMetrics(catalog, registry),
    bootRequests: bootCounter(registry),
  };
}

const bootCounter = (registry: Registry): Counter<"file" | "status"> =>
  new Counter({
    name: "flockcast_source_boot_requests_total",
    help: "Requests at the port of the boot files; file other: a path that is not one of them",
    labelNames: ["file", "status"],
    registers: [registry],
  });

const deviceEventCounter = (registry: Registry): Counter<"event"> =>
  new Counter({
    name: "flockcast_source_device_events_total",
    help: "Enrolments, takeovers, clones, approvals and removals of devices",
    labelNames: ["event"],
    registers: [registry],
  });

const resultCounter = (registry: Registry, name: string, help: string): Counter<"result"> =>
  new Counter({ name, help, labelNames: ["result"], registers: [registry] });

function webhookMetrics(catalog: Catalog, registry: Registry): Counter<"result"> {
  const waiting: Gauge = new Gauge({
    name: "flockcast_source_webhook_queue",
    help: "Deliveries of webhooks that wait",
    registers: [registry],
    async collect() {
      waiting.set(await catalog.webhooks.waiting());
    },
  });
  return resultCounter(
    registry,
    "flockcast_source_webhook_attempts_total",
    "Deliveries of webhooks: delivered, failed (to be tried again) or dropped",
  );
}

/** End of the operators' word, in seconds since 1970. */
async function freshUntil(catalog: Catalog): Promise<number> {
  const signed = (await catalog.trust.order("freshness", ""))?.signed;
  return signed ? readOrder("freshness", signed).expiresAtMs / 1_000 : 0;
}

/** Totals of the WAN account, which survive a restart. */
function addWanTotals(catalog: Catalog, registry: Registry): void {
  const add = (name: string, help: string, field: "crossedBytes" | "directBytes"): void => {
    const counter: Counter = new Counter({
      name,
      help,
      registers: [registry],
      async collect() {
        counter.reset();
        counter.inc((await catalog.wan.totals())[field]);
      },
    });
  };
  add("flockcast_source_wan_bytes_total", "Package bytes that crossed the WAN", "crossedBytes");
  add(
    "flockcast_source_wan_direct_bytes_total",
    "Package bytes that would have crossed the WAN if each device had downloaded for itself",
    "directBytes",
  );
}
