/**
 * The agent's status server, on loopback only: `/status` for the command `status`, `/metrics` for
 * Prometheus. The file DIR/agent.json holds its port while the agent runs.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { join } from "node:path";
import * as v from "valibot";
import { contactProblems } from "../../api/source-error.ts";
import { progressSchema } from "../../api/schema/common.ts";
import { trustErrorCodes } from "../../model/trust/index.ts";
import type { AgentMetrics } from "./metrics.ts";

/** A setting that counts on the device, and those that it inherits from. */
const settingSchema = v.object({
  name: v.string(),
  version: v.number(),
  parents: v.array(v.object({ name: v.string(), version: v.number() })),
});
export const agentStatusSchema = v.object({
  version: v.string(),
  pid: v.number(),
  deviceId: v.string(),
  hostname: v.string(),
  source: v.string(),
  /** Whether the change stream to the source is open. */
  connected: v.boolean(),
  /** Why the source is not reached; null while it answers. */
  lostContact: v.nullable(
    v.object({ why: v.picklist(contactProblems), text: v.string(), sinceMs: v.number() }),
  ),
  /** The trust file that the device has, and how fresh the source's word is. */
  trust: v.object({
    version: v.number(),
    root: v.string(),
    embedded: v.boolean(),
    freshUntilMs: v.nullable(v.number()),
    isStale: v.boolean(),
    refused: v.pipe(
      v.array(
        v.object({
          what: v.string(),
          taskId: v.nullable(v.number()),
          code: v.picklist(trustErrorCodes),
          text: v.string(),
        }),
      ),
      v.readonly(),
    ),
  }),
  subnetId: v.nullable(v.string()),
  /** The device's own setting; null until the source answered. */
  setting: v.optional(v.nullable(settingSchema), null),
  /** The active interface; null while the device works without the LAN. */
  interface: v.nullable(v.object({ name: v.string(), address: v.string(), medium: v.string() })),
  /** Why a better interface, or none, is used; empty if the best one is used. */
  interfaceWhy: v.string(),
  group: v.string(),
  /** Why the device does not use multicast; empty after the group was joined. */
  multicastProblem: v.string(),
  receiveBufferBytes: v.number(),
  lan: v.object({
    framesHeard: v.number(),
    framesSent: v.number(),
    /** System calls that read datagrams, and the messages read: single datagrams and runs. */
    receiveCalls: v.number(),
    messagesReceived: v.number(),
    /** Datagrams that the kernel dropped at a full buffer; null if it does not report them. */
    kernelDrops: v.nullable(v.number()),
    dropped: v.record(v.string(), v.number()),
  }),
  exchange: v.object({
    port: v.number(),
    /** Why it is not the port of `--lan-port`; empty if it is. */
    portProblem: v.string(),
    chunksSent: v.number(),
    bytesSent: v.number(),
  }),
  tasks: v.array(
    v.object({
      package: v.string(),
      /** Setting that the task overrides the own one with; null: it does not. */
      setting: v.optional(v.nullable(settingSchema), null),
      ...progressSchema.entries,
    }),
  ),
});
export type AgentStatus = v.InferOutput<typeof agentStatusSchema>;

const portFile = (dataFolder: string): string => join(dataFolder, "agent.json");
const portSchema = v.object({ pid: v.number(), port: v.number() });

export class StatusServer {
  readonly #server: Bun.Server<undefined>;
  readonly #file: string;

  constructor(options: { dataFolder: string; status: () => AgentStatus; metrics: AgentMetrics }) {
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: async (request) => {
        switch (URL.parse(request.url, "http://agent")?.pathname) {
          case "/status":
            return Response.json(options.status());
          case "/metrics":
            return new Response(await options.metrics.registry.metrics(), {
              headers: { "content-type": options.metrics.registry.contentType },
            });
          default:
            return new Response("No such page: ask for /status or /metrics\n", { status: 404 });
        }
      },
    });
    this.#file = portFile(options.dataFolder);
    writeFileSync(this.#file, JSON.stringify({ pid: process.pid, port: this.#server.port }), { mode: 0o600 });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  async close(): Promise<void> {
    try {
      rmSync(this.#file, { force: true });
    } catch {
      // A scanner has the file open. The file then names a port at which nobody answers.
    }
    await this.#server.stop(true);
  }
}

/** Returns the status of the agent that runs on this data folder; null if none answers. */
export async function askStatus(dataFolder: string): Promise<AgentStatus | null> {
  try {
    const { port } = v.parse(portSchema, JSON.parse(readFileSync(portFile(dataFolder), "utf8")));
    return v.parse(agentStatusSchema, JSON.parse(await getLoopback(port, "/status")));
  } catch {
    return null;
  }
}

/** Uses node:http, which ignores HTTP_PROXY. */
function getLoopback(port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: "127.0.0.1", port, path, timeout: 3_000 }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("end", () => resolve(Buffer.concat(parts).toString("utf8")));
    });
    request.on("timeout", () => request.destroy(new Error("no answer")));
    request.on("error", reject);
  });
}
