/** Counters and gauges of an agent in Prometheus' text format. status-server.ts serves them. */
import { Counter, Gauge, Registry } from "prom-client";

export class AgentMetrics {
  readonly registry = new Registry();
  readonly #roles = new Counter({
    name: "flockcast_role_changes_total",
    help: "Role changes, by the roles left and taken",
    labelNames: ["from", "to"],
    registers: [this.registry],
  });
  readonly #wan = new Counter({
    name: "flockcast_wan_bytes_total",
    help: "Package bytes fetched from the web site or the source",
    registers: [this.registry],
  });
  readonly #tasks = new Counter({
    name: "flockcast_tasks_ended_total",
    help: "Tasks that ended, by outcome",
    labelNames: ["outcome"],
    registers: [this.registry],
  });

  readonly #interfaces = new Counter({
    name: "flockcast_interface_changes_total",
    help: "Changes of the LAN interface, including reopening the same one",
    registers: [this.registry],
  });

  readonly #wrongChunks = new Counter({
    name: "flockcast_wrong_chunks_total",
    help: "Chunks with a wrong digest, by delivery mode; status names their senders",
    labelNames: ["way"],
    registers: [this.registry],
  });

  wrongChunk(way: "multicast" | "peers"): void {
    this.#wrongChunks.inc({ way });
  }

  roleChanged(from: string, to: string): void {
    this.#roles.inc({ from, to });
  }

  interfaceChanged(): void {
    this.#interfaces.inc();
  }

  wanBytes(bytes: number): void {
    this.#wan.inc(bytes);
  }

  taskEnded(outcome: string): void {
    this.#tasks.inc({ outcome });
  }

  /**
   * Registers a metric that calls `read` on each request; with a label, one series for each value
   * that `read` returns then. A name that ends with `_total` makes a counter.
   */
  read(
    name: string,
    help: string,
    read: () => number | Iterable<readonly [string, number]>,
    label?: string,
  ): void {
    const { registry } = this;
    const labels = label === undefined ? {} : { labelNames: [label] };
    const valuesOf = (set: (labels: Record<string, string>, value: number) => void): void => {
      const value = read();
      if (typeof value === "number") return set({}, value);
      for (const [labelValue, number] of value) set({ [label!]: labelValue }, number);
    };
    const options = { name, help, registers: [], ...labels };
    const metric = name.endsWith("_total")
      ? new Counter({
          ...options,
          collect() {
            this.reset();
            this.remove({});
            valuesOf((each, value) => this.inc(each, value));
          },
        })
      : new Gauge({
          ...options,
          collect() {
            this.reset();
            this.remove({});
            valuesOf((each, value) => this.set(each, value));
          },
        });
    registry.registerMetric(metric);
  }
}
