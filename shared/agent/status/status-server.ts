/**
 * The agent's private channel for users who may read its data folder: `/status` for the command
 * `status`, and `/metrics`. A Unix socket in the folder; where there are none, or its path is too
 * long, a port of loopback with a secret. DIR/agent.json tells which, while the agent runs.
 */
import { randomBytes, timingSafeEqual } from "node:crypto";
import { chmodSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import { join } from "node:path";
import * as v from "valibot";
import { contactProblems } from "../../api/source-error.ts";
import { approvalStates } from "../../api/schema/agent.ts";
import { progressSchema, type Progress } from "../../api/schema/common.ts";
import { wakeRefusals } from "../../model/wake-on-lan.ts";
import { trustErrorCodes } from "../../model/trust/index.ts";
import { platform } from "../../platform/index.ts";
import { AccessError, assertReadable, writePrivateFile } from "../../platform/private-files.ts";
import type { AgentMetrics } from "./metrics.ts";
import { metricsPage, refusal } from "./metrics-server.ts";

/** A setting that counts on the device, and those that it inherits from. */
const settingSchema = v.object({
  name: v.string(),
  version: v.number(),
  parents: v.array(v.object({ name: v.string(), version: v.number() })),
});
const conditionsSchema = v.object({
  onBattery: v.nullable(v.boolean()),
  batteryPercent: v.nullable(v.number()),
  savesPower: v.nullable(v.boolean()),
  isMetered: v.nullable(v.boolean()),
  userIdleMs: v.nullable(v.number()),
  cpuPercent: v.nullable(v.number()),
  ioPercent: v.nullable(v.number()),
  memoryFreePercent: v.nullable(v.number()),
  diskFreePercent: v.nullable(v.number()),
  isWireless: v.boolean(),
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
  /** Whether the device waits for an administrator's approval; null until the source answered. */
  approval: v.optional(v.nullable(v.picklist(approvalStates)), null),
  subnetId: v.nullable(v.string()),
  /** The device's own setting; null until the source answered. */
  setting: v.optional(v.nullable(settingSchema), null),
  /** The active interface; null while the device works without the LAN. */
  interface: v.nullable(v.object({ name: v.string(), address: v.string(), medium: v.string() })),
  /** Why a better interface, or none, is used; empty if the best one is used. */
  interfaceWhy: v.string(),
  /**
   * Conditions of the device, by which guards restrict it. Null: the system does not tell, and for
   * `userIdleMs` also that nobody is at the machine.
   */
  conditions: v.optional(v.nullable(conditionsSchema), null),
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
  /** Machines of the subnet that this device has woken since its start. */
  wakes: v.optional(
    v.object({
      sent: v.number(),
      /** Machines of requests that the device left out, and why it did so in the last one. */
      leftOut: v.number(),
      refused: v.nullable(v.picklist(wakeRefusals)),
      lastAtMs: v.nullable(v.number()),
      lastMacs: v.pipe(v.array(v.string()), v.readonly()),
    }),
    { sent: 0, leftOut: 0, refused: null, lastAtMs: null, lastMacs: [] },
  ),
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

/** Paths of a Unix socket, and of the file that tells how the agent is reached. */
const socketPath = (dataFolder: string): string => join(dataFolder, "agent.sock");
const doorFile = (dataFolder: string): string => join(dataFolder, "agent.json");

const secretBytes = 32;
const doorSchema = v.variant("by", [
  v.object({ pid: v.number(), by: v.literal("socket") }),
  v.object({ pid: v.number(), by: v.literal("port"), port: v.number(), secret: v.string() }),
]);
type Door = v.InferOutput<typeof doorSchema>;

type StatusOptions = { dataFolder: string; status: () => AgentStatus; metrics: AgentMetrics };

export class StatusServer {
  readonly #server: Bun.Server<undefined>;
  readonly #dataFolder: string;

  private constructor(server: Bun.Server<undefined>, dataFolder: string) {
    this.#server = server;
    this.#dataFolder = dataFolder;
  }

  /** @param socketPathBytes longest path of a Unix socket; 0: the system has none */
  static async start(
    options: StatusOptions,
    socketPathBytes = platform.unixSocketPathBytes,
  ): Promise<StatusServer> {
    const { dataFolder } = options;
    const path = socketPath(dataFolder);
    const { pid } = process;
    let server: Bun.Server<undefined>;
    let door: Door;
    rmSync(path, { force: true });
    if (Buffer.byteLength(path) <= socketPathBytes) {
      server = Bun.serve({ unix: path, fetch: (request) => answer(request, options) });
      // The folder is closed to others already.
      chmodSync(path, 0o600);
      door = { pid, by: "socket" };
    } else {
      const secret = randomBytes(secretBytes).toString("base64url");
      server = Bun.serve({
        hostname: "127.0.0.1",
        port: 0,
        fetch: (request) => refusal(request) ?? refusalWithout(secret, request) ?? answer(request, options),
      });
      door = { pid, by: "port", port: server.port!, secret };
    }
    await writePrivateFile(doorFile(dataFolder), JSON.stringify(door));
    return new StatusServer(server, dataFolder);
  }

  async close(): Promise<void> {
    await this.#server.stop(true);
    try {
      for (const path of [doorFile(this.#dataFolder), socketPath(this.#dataFolder)])
        rmSync(path, { force: true });
    } catch {
      // A scanner has a file open. It then names a place at which nobody answers.
    }
  }
}

async function answer(request: Request, { status, metrics }: StatusOptions): Promise<Response> {
  switch (URL.parse(request.url, "http://agent")?.pathname) {
    case "/status":
      return Response.json(status());
    case "/metrics":
      return metricsPage(metrics);
    default:
      return new Response("No such page: ask for /status or /metrics\n", { status: 404 });
  }
}

function refusalWithout(secret: string, request: Request): Response | null {
  const given = Buffer.from(request.headers.get("authorization") ?? "");
  const expected = Buffer.from(`Bearer ${secret}`);
  if (given.length === expected.length && timingSafeEqual(given, expected)) return null;
  return new Response("The secret of agent.json is missing\n", { status: 401 });
}

/**
 * Returns the status of the agent that runs on this data folder; null if none answers.
 * @throws AccessError when only another user may read the folder
 */
export async function askStatus(dataFolder: string): Promise<AgentStatus | null> {
  try {
    return v.parse(agentStatusSchema, JSON.parse(await askPage(dataFolder, "/status")));
  } catch (error) {
    if (error instanceof AccessError) throw error;
    return null;
  }
}

/**
 * Returns a page of the agent that runs on this data folder.
 * @throws AccessError when only another user may read the folder; Error when nobody answers
 */
export function askPage(dataFolder: string, page: "/status" | "/metrics"): Promise<string> {
  assertReadable(dataFolder);
  const door = v.parse(doorSchema, JSON.parse(readFileSync(doorFile(dataFolder), "utf8")));
  return door.by === "socket"
    ? get({ socketPath: socketPath(dataFolder), path: page })
    : get({
        host: "127.0.0.1",
        port: door.port,
        path: page,
        headers: { authorization: `Bearer ${door.secret}` },
      });
}

/** Uses node:http, which ignores HTTP_PROXY. */
function get(options: http.RequestOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.get({ ...options, timeout: 3_000 }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("end", () => resolve(Buffer.concat(parts).toString("utf8")));
    });
    request.on("timeout", () => request.destroy(new Error("no answer")));
    request.on("error", reject);
  });
}

/** The output of a command is in `tasks/ID.log`, and at the source. */
export const withoutOutput = ({ command, ...progress }: Progress): Progress => ({
  ...progress,
  command: command && { ...command, outputTail: "" },
});
