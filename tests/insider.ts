/**
 * Hostile device for `insiders.test.ts`, which is enrolled and has the keys of its tasks. The
 * device offers the whole package and serves wrong chunks, multicasts wrong symbols, forges frames
 * of the representative, and invents devices.
 */
import { randomBytes, randomInt } from "node:crypto";
import dgram from "node:dgram";
import { enrollTokenOf } from "../scripts/rig/deployment.ts";
import {
  createAgentClient,
  enrollDevice,
  parseEnrollToken,
  SourceTransport,
} from "../shared/api/agent-client.ts";
import type { AgentTask } from "../shared/api/schema/agent.ts";
import { obeyed } from "../shared/device/testing-trust.ts";
import { inventoryOf } from "../shared/source/app-fixture.ts";
import { ChunkSet } from "../shared/model/chunk-set.ts";
import { nodeCrypto as crypto } from "../shared/net/seal/aead.ts";
import { ExchangeServer } from "../shared/net/exchange/server.ts";
import { parseGroup } from "../shared/net/lan/multicast-group.ts";
import {
  createFrameReceiver,
  createFrameWriter,
  createIncarnation,
  sessionOf,
  type AnnounceFrame,
  type ControlFrame,
  type FrameWriter,
} from "../shared/wire/index.ts";
import type { Harness } from "./harness.ts";

const sendEveryMs = 20;
const interfaceAddress = "127.0.0.1";
export const allAttacks = ["wrong chunks", "wrong symbols", "forged frames", "invented devices"] as const;
type Attack = (typeof allAttacks)[number];

type Insider = AsyncDisposable & {
  readonly deviceId: string;
  /**
   * Begins to attack the first task of this device.
   * @param chunkBytes size of every chunk but the last
   */
  readonly attack: (options: {
    chunkCount: number;
    chunkBytes: number;
    attacks: readonly Attack[];
  }) => Promise<void>;
};

export async function openInsider(harness: Harness): Promise<Insider> {
  const sourceUrl = harness.source.url;
  const request = { hostname: "insider", os: "linux", arch: "x64", agentVersion: "0.1.0" };
  const token = await enrollTokenOf(harness.source);
  const {
    deviceId,
    credential,
    deployment,
    identity: source,
  } = await enrollDevice(sourceUrl, { ...request, token });
  const client = createAgentClient({
    transport: new SourceTransport({ url: sourceUrl, identity: source }),
    credential,
  });
  const cleanups: (() => unknown)[] = [];
  return {
    deviceId,
    async attack({ chunkCount, chunkBytes, attacks }) {
      const answer = await client.checkIn({ inventory: inventoryOf("insider") });
      const { root } = parseEnrollToken(token);
      const [task] = obeyed(answer, { deployment, root, hostname: "insider" }, Date.now()).tasks;
      if (!task) throw new Error("The insider has no task: create one before the attack");
      const exchange = new ExchangeServer({ interfaceAddress, device: deviceId, onError: () => {} });
      cleanups.push(() => exchange.close());
      const packageKey = Buffer.from(task.packageKey, "base64");
      exchange.offer(sessionOf(crypto, packageKey), {
        key: packageKey,
        chunkSizeBytes: 262_144,
        held: () => ChunkSet.full(chunkCount),
        readChunk: async () => randomBytes(chunkBytes),
        manifest: async () => randomBytes(1_000),
      });
      const identity = { deviceId, deployment, task, lanPort: exchange.lanPort, chunkCount };
      cleanups.push(startSending(harness.group, identity, attacks));
    },
    async [Symbol.asyncDispose]() {
      for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
    },
  };
}

type Identity = {
  readonly deviceId: string;
  readonly deployment: number;
  readonly task: AgentTask;
  readonly lanPort: number;
  readonly chunkCount: number;
};

/** Sends hostile frames until the returned function is called. */
function startSending(groupText: string, identity: Identity, attacks: readonly Attack[]): () => void {
  const group = parseGroup(groupText);
  const taskKey = Buffer.from(identity.task.taskKey, "base64");
  const packageKey = Buffer.from(identity.task.packageKey, "base64");
  const { deployment } = identity;
  const senderOf = (
    key: Uint8Array,
    incarnation = createIncarnation(randomBytes(8).toString("hex")),
  ): FrameWriter =>
    createFrameWriter({ crypto, deployment, session: sessionOf(crypto, key), key, incarnation });
  const own = createIncarnation(randomBytes(8).toString("hex"));
  const [inTask, inPackage] = [senderOf(taskKey, own), senderOf(packageKey, own)];
  const receiver = createFrameReceiver({ crypto, deployment, ownSender: own.sender });
  receiver.addContext(inTask.session, taskKey);
  let leader: AnnounceFrame | null = null;
  const receiveSocket = dgram.createSocket({ type: "udp4", reuseAddr: true });
  receiveSocket.on("message", (datagram) => {
    const received = receiver.receive(datagram);
    if (received.kind === "control" && received.frame.type === "announce") leader = received.frame;
  });
  receiveSocket.bind(group.port, group.address, () =>
    receiveSocket.addMembership(group.address, interfaceAddress),
  );
  const sendSocket = dgram.createSocket("udp4");
  const send = (frame: Uint8Array): void => sendSocket.send(frame.slice(), group.port, group.address);
  const turn = (): void => {
    if (attacks.includes("wrong chunks")) send(inPackage.control(haveAll(identity)));
    if (attacks.includes("wrong symbols")) {
      send(inTask.control(seek(identity.deviceId, identity)));
      for (let count = 0; count < 8; count++) {
        const chunk = randomInt(identity.chunkCount);
        send(inTask.symbol(chunk, randomInt(3), randomInt(60), randomBytes(1_400)));
      }
    }
    if (attacks.includes("forged frames") && leader)
      for (const frame of forgedFrames(leader)) send(inTask.control(frame));
    if (attacks.includes("invented devices"))
      for (let count = 0; count < 20; count++) {
        const invented = senderOf(taskKey);
        send(invented.control(seek(randomBytes(8).toString("hex"), identity)));
      }
  };
  sendSocket.bind(0, interfaceAddress, () => sendSocket.setMulticastInterface(interfaceAddress));
  const timer = setInterval(turn, sendEveryMs);
  return () => {
    clearInterval(timer);
    receiveSocket.close();
    sendSocket.close();
  };
}

const haveAll = ({ deviceId, chunkCount, lanPort }: Identity): ControlFrame => ({
  type: "have",
  device: deviceId,
  ranges: [0, chunkCount],
  load: 0,
  lanPort,
  toDevice: deviceId,
});

const seek = (device: string, { chunkCount, lanPort }: Identity): ControlFrame => ({
  type: "seek",
  device,
  haveCount: 0,
  missing: [0, chunkCount],
  lanPort,
  term: 0,
  symbolMaxBytes: 1_400,
});

/** Returns frames in the name of the representative, and of invented devices. */
const forgedFrames = ({ device, term, pass }: AnnounceFrame): ControlFrame[] => [
  { type: "end", device, term, pass: pass + 1, castRanges: [0, 5], symbolsSent: 4_000_000_000, sentAtMs: 0 },
  { type: "claim", device: "0123456789abcdef", term: term + 1, ticket: 0, lanPort: 1, haveCount: 0 },
  {
    type: "need",
    device: "0123456789abcdef",
    term,
    pass,
    entries: [0, 0, 64, 1, 1, 64],
    lanPort: 1,
    symbolSizeBytes: 1_400,
  },
  { type: "ask", device, term, toDevice: "0123456789abcdef" },
  {
    type: "report",
    device: randomBytes(8).toString("hex"),
    term,
    pass,
    lossPermille: 1_000,
    queuedMs: 60_000,
  },
];
