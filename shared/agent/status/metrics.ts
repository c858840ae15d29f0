/** What an agent counts, in Prometheus' text format, on its loopback status port. */
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
    help: "Times the agent changed its interface or took it up anew",
    registers: [this.registry],
  });

  readonly #wrong = new Counter({
    name: "flockcast_wrong_chunks_total",
    help: "Chunks with a wrong digest, by the way they came; status names who sent them",
    labelNames: ["way"],
    registers: [this.registry],
  });

  wrongChunk(way: "multicast" | "peers"): void {
    this.#wrong.inc({ way });
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

  /** A value that is read when the metrics are asked for; with a label, one value per label. */
  gauge(
    name: string,
    help: string,
    read: () => number | Iterable<readonly [string, number]>,
    label?: string,
  ): void {
    const { registry } = this;
    const gauge = new Gauge({
      name,
      help,
      registers: [],
      ...(label === undefined ? {} : { labelNames: [label] }),
      collect() {
        const value = read();
        if (typeof value === "number") this.set(value);
        else for (const [of, number] of value) this.set({ [label!]: of }, number);
      },
    });
    registry.registerMetric(gauge);
  }
}
