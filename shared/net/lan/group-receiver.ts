/**
 * Receives the datagrams of the multicast group.
 *
 * Where the system can read datagrams in batches (recvmmsg.ts), a socket of the event loop waits
 * for the first datagram. The receiver then polls every few milliseconds until the group is quiet.
 * Elsewhere node:dgram delivers each datagram as an event.
 */
import dgram from "node:dgram";
import { batchDatagramsMax, batchOf, type DatagramBatch } from "../../wire/index.ts";
import { openDatagramSocket, type DatagramSocket } from "./recvmmsg.ts";
import { platform } from "../../platform/index.ts";
import type { Group } from "./multicast-group.ts";
import { sizeReceiveBuffer } from "./receive-buffer.ts";

type GroupReceiverOptions = {
  readonly interfaceAddress: string;
  readonly group: Group;
  /** Requested size; the system may grant less (Linux: net.core.rmem_max). */
  readonly receiveBufferBytes: number;
  /** Called with each batch; its bytes are valid until the call returns. */
  readonly onBatch: (batch: DatagramBatch) => void;
  readonly onError: (error: Error) => void;
};
export type GroupReceiver = {
  /** Granted size of the kernel's receive buffer. */
  readonly receiveBufferBytes: number;
  /** Datagrams that the kernel dropped at a full buffer; null if it does not report them. */
  kernelDrops(): number | null;
  close(): void;
};

/** Shortest timer; about 90 datagrams arrive in this time at 1 Gbit/s. */
const pollMinMs = 1;
/**
 * Longest poll interval. One wake-up costs as much processor time as ten datagrams, so rare polls
 * of many datagrams are cheaper (docs/BENCHMARKS.md).
 */
const pollMaxMs = 8;
/** Bytes of the receive buffer that Linux accounts for a datagram of 1,466 bytes. */
const accountedBytes = 1_152;
/**
 * Polling control, as shares of the receive buffer read by one poll. Below `lowFillShare` the
 * interval grows by 1 ms. Above `highFillShare` it drops to the minimum.
 */
const lowFillShare = 1 / 8;
const highFillShare = 1 / 4;
/**
 * Time without a datagram after which polling stops and the event loop waits for the next one.
 * Opening its socket costs as much as a few polls.
 */
const idleAfterMs = 100;
/** Delay of the next poll after the socket of the event loop could not be opened. */
const errorPauseMs = 1_000;
/** Upper bound on batches per poll, so that other events are processed in between. */
const batchesMax = 8;

/**
 * Joins the group on one interface and starts to receive.
 * @throws Error with the system's reason when the group cannot be joined
 */
export async function openGroupReceiver(options: GroupReceiverOptions): Promise<GroupReceiver> {
  const socket = openDatagramSocket(options);
  if (socket === null) return openEventReceiver(options);
  const receiver = new BatchReceiver(options, socket);
  try {
    await receiver.enterIdle();
  } catch (error) {
    receiver.close();
    throw error;
  }
  return receiver;
}

async function openEventReceiver(options: GroupReceiverOptions): Promise<GroupReceiver> {
  const { onBatch, receiveBufferBytes } = options;
  const socket = await bindGroup(options);
  socket.on("message", (datagram, remote) => onBatch(batchOf(datagram, remote.address)));
  return {
    receiveBufferBytes: sizeReceiveBuffer(socket, receiveBufferBytes),
    kernelDrops: () => platform.kernelDrops(options.group.port),
    close: () => socket.close(),
  };
}

function bindGroup({ group, interfaceAddress, onError }: GroupReceiverOptions): Promise<dgram.Socket> {
  const socket = dgram.createSocket({ type: "udp4", reuseAddr: true });
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(group.port, platform.groupBindAddress(group.address), () => {
      try {
        socket.addMembership(group.address, interfaceAddress);
      } catch (error) {
        socket.close();
        return reject(error instanceof Error ? error : new Error(String(error)));
      }
      socket.removeAllListeners("error");
      socket.on("error", onError);
      resolve(socket);
    });
  });
}

class BatchReceiver implements GroupReceiver {
  readonly #options: GroupReceiverOptions;
  readonly #socket: DatagramSocket;
  /**
   * Socket of the event loop that waits for the first datagram of a quiet group. The socket is
   * closed while polling, because the kernel would copy every datagram to it as well.
   */
  #idleSocket: dgram.Socket | null = null;
  #state: "idle" | "polling" | "closed" = "idle";
  #lastReceivedAtMs = 0;
  #pollIntervalMs = pollMinMs;
  /** Datagrams that fit into the receive buffer. */
  readonly #capacityDatagrams: number;

  constructor(options: GroupReceiverOptions, socket: DatagramSocket) {
    this.#options = options;
    this.#socket = socket;
    this.#capacityDatagrams = socket.receiveBufferBytes / accountedBytes;
  }

  get receiveBufferBytes(): number {
    return this.#socket.receiveBufferBytes;
  }

  kernelDrops(): number | null {
    return this.#socket.kernelDrops();
  }

  async enterIdle(): Promise<void> {
    const idleSocket = await bindGroup(this.#options);
    if (this.#state === "closed") return void idleSocket.close();
    this.#idleSocket = idleSocket;
    this.#state = "idle";
    idleSocket.on("message", () => this.#startPolling());
    // Datagrams may have arrived before `idleSocket` was bound.
    if (this.#drain() > 0) this.#startPolling();
  }

  #startPolling(): void {
    if (this.#state !== "idle") return;
    this.#state = "polling";
    this.#idleSocket?.close();
    this.#idleSocket = null;
    this.#poll();
  }

  readonly #poll = (): void => {
    if (this.#state !== "polling") return;
    const received = this.#drain();
    const nowMs = performance.now();
    if (received > 0) this.#lastReceivedAtMs = nowMs;
    if (received > 0 || nowMs < this.#lastReceivedAtMs + idleAfterMs) {
      if (received > this.#capacityDatagrams * highFillShare) this.#pollIntervalMs = pollMinMs;
      else if (received < this.#capacityDatagrams * lowFillShare)
        this.#pollIntervalMs = Math.min(pollMaxMs, this.#pollIntervalMs + 1);
      setTimeout(this.#poll, this.#pollIntervalMs);
      return;
    }
    void this.enterIdle().catch((error: unknown) => {
      this.#options.onError(error instanceof Error ? error : new Error(String(error)));
      setTimeout(this.#poll, errorPauseMs);
    });
  };

  #drain(): number {
    const { onBatch, onError } = this.#options;
    let received = 0;
    try {
      for (let batch = 0; batch < batchesMax; batch++) {
        const count = this.#socket.receive(onBatch);
        received += count;
        if (count < batchDatagramsMax) break;
      }
    } catch (error) {
      onError(error instanceof Error ? error : new Error(String(error)));
    }
    return received;
  }

  close(): void {
    this.#state = "closed";
    this.#idleSocket?.close();
    this.#socket.close();
  }
}
