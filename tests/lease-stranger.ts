/**
 * Enrolled device that is not on the LAN, for strangers.test.ts. It claims the subnet of others at
 * the source, and takes leases and tokens there without doing the work.
 */
import { enrollTokenOf } from "../scripts/rig/deployment.ts";
import { createAgentClient, enrollDevice, SourceTransport } from "../shared/api/agent-client.ts";
import type { AgentClient } from "../shared/api/agent-client.ts";
import type { Inventory } from "../shared/api/schema/common.ts";
import { readOrder } from "../shared/model/trust/index.ts";
import { inventoryOf } from "../shared/source/app-fixture.ts";
import type { Harness } from "./harness.ts";

const askEveryMs = 250;
/** Port on which nobody listens. */
const deadPort = 9;
export const strangerAttacks = ["lease", "token", "failures", "all tokens"] as const;
export type StrangerAttack = (typeof strangerAttacks)[number];

type Stranger = AsyncDisposable & {
  readonly deviceId: string;
  /** Results of the requests so far. */
  readonly results: Map<string, number>;
};

/** Inventory of a device on the simulated subnet of the harness, or on another one. */
function inventoryAt(group: string, address = "127.0.0.1"): Inventory {
  const inventory = inventoryOf("stranger", address);
  Object.assign(inventory.interfaces[0]!, { cidr: `${address}/8`, medium: "loopback", group });
  return inventory;
}

/** Begins the attacks on the first task that the stranger gets. */
export async function openStranger(harness: Harness, attacks: readonly StrangerAttack[]): Promise<Stranger> {
  const { url } = harness.source;
  const request = { hostname: "stranger", os: "linux", arch: "x64", agentVersion: "0.1.0" };
  const token = await enrollTokenOf(harness.source);
  const { deviceId, credential, identity } = await enrollDevice(url, { ...request, token });
  const client = createAgentClient({ transport: new SourceTransport({ url, identity }), credential });
  const results = new Map<string, number>();
  const note = (what: string): void => void results.set(what, (results.get(what) ?? 0) + 1);
  const end = new AbortController();
  const running = attacks.map(async (attack) => {
    while (!end.signal.aborted) {
      await attackOnce(client, harness.group, attack, note).catch(() => note(`${attack}: error`));
      await Bun.sleep(askEveryMs);
    }
  });
  return {
    deviceId,
    results,
    async [Symbol.asyncDispose]() {
      end.abort();
      await Promise.all(running);
    },
  };
}

async function attackOnce(
  client: AgentClient,
  group: string,
  attack: StrangerAttack,
  note: (what: string) => void,
): Promise<void> {
  if (attack === "all tokens") return takeAllTokens(client, note);
  const { tasks, subnetId } = await client.checkIn({ inventory: inventoryAt(group), lanPort: deadPort });
  const [task] = tasks;
  if (task === undefined || subnetId === null) return;
  const { taskId, epoch } = readOrder("task", task.order);
  const name = { taskId, epoch, subnetId };
  // The source names the stranger to the others as one that has the manifest.
  await client.manifest({ ...name, address: "127.0.0.1", lanPort: deadPort, attempt: 0 }).catch(() => {});
  if (attack === "token") {
    const { result } = await client.fallback({ ...name, uselessBytes: 0 });
    return note(`token: ${result}`);
  }
  const place = { address: "127.0.0.1", lanPort: deadPort, uselessBytes: 0 };
  let answer = await client.lease({ ...name, ...place, term: 4_294_967_295 });
  if (answer.result === "term-too-high")
    answer = await client.lease({ ...name, ...place, term: answer.termMax });
  note(`${attack}: ${answer.result}`);
  if (attack === "failures")
    await client.releaseLease({ ...name, failure: "404 Not Found", uselessBytes: 1e15 });
}

/** Checks in as a device of sixteen subnets, and asks for the token of each. */
async function takeAllTokens(client: AgentClient, note: (what: string) => void): Promise<void> {
  for (let subnet = 1; subnet <= 16; subnet++) {
    const group = `239.192.77.${subnet}:7400`;
    const { tasks, subnetId } = await client.checkIn({ inventory: inventoryAt(group), lanPort: deadPort });
    if (tasks[0] === undefined || subnetId === null) return;
    const { taskId, epoch } = readOrder("task", tasks[0].order);
    const { result } = await client.fallback({ taskId, epoch, subnetId, uselessBytes: 0 });
    note(`all tokens: ${result}`);
  }
}
