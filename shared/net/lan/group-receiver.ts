/**
 * Receives the datagrams of the multicast group.
 *
 * Where the system can read datagrams in batches (recvmmsg.ts), a socket of the event loop waits
 * for the first datagram. The receiver then polls every few milliseconds until the group is quiet.
 * Elsewhere node:dgram delivers each datagram as an event.
 */
import dgram from "node:dgram";
import { batchOf, messagesMax, type DatagramBatch } from "../../wire/index.ts";
import { openDatagramSocket, type DatagramSocket } from "./recvmmsg.ts";
import { platform } from "../../platform/index.ts";
import type { Group } from "./multicast-group.ts";
import { sizeReceiveBuffer } from "./receive-buffer.ts";

type GroupReceiverOptions = {
  readonly interfaceAddress: string;
  readonly group: Group;
  /** Requested size; the system may grant less (Linux: net.core.rmem_max). */
  readonly receiveBufferBytes: number;
  /** Counted up by the receiver. */
  readonly counters: ReceiveCounters;
  /** Called with each batch; its bytes are valid until the call returns. */
  readonly onBatch: (batch: DatagramBatch) => void;
  readonly onError: (error: Error) => void;
};
export type GroupReceiver = {
  /** Granted size of the kernel's receive buffer. */
  readonly receiveBufferBytes: number;
  /**
   * Datagrams that the kernel dropped at a full buffer; null if it does not report them. A dropped
   * run counts as the datagrams that a message had on average in the last poll.
   */
  kernelDrops(): number | null;
  close(): void;
};
export type ReceiveCounters = {
  /** Calls that read a datagram. */
  receiveCalls: number;
  /** Messages that they read: single datagrams, and runs of datagrams. */
  messagesReceived: number;
};

/** Shortest timer; about 90 datagrams arrive in this time at 1 Gbit/s. */
const pollMinMs = 1;
/**
 * Longest poll interval. One wake-up costs as much processor time as ten datagrams, so rare polls
 * of many datagrams are cheaper (docs/BENCHMARKS.md).
 */
const pollMaxMs = 8;
/**
 * Polling control, as shares of the receive buffer that were in use before a poll. Below
 * `lowFillShare` the interval grows by 1 ms. Above `highFillShare` it drops to the minimum.
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
/** Datagrams after which a poll ends, so that other events are processed in between. */
const pollDatagramsMax = 1_024;

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
  const { counters, onBatch, receiveBufferBytes } = options;
  const socket = await bindGroup(options);
  socket.on("message", (datagram, remote) => {
    counters.receiveCalls++;
    counters.messagesReceived++;
    onBatch(batchOf(datagram, remote.address));
  });
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
  /** Messages that the kernel dropped, the datagrams in them, and those of a message on average. */
  readonly #drops = { messages: 0, datagrams: 0, datagramsPerMessage: 1 };

  constructor(options: GroupReceiverOptions, socket: DatagramSocket) {
    this.#options = options;
    this.#socket = socket;
  }

  get receiveBufferBytes(): number {
    return this.#socket.receiveBufferBytes;
  }

  kernelDrops(): number | null {
    const drops = this.#socket.memory()?.drops ?? null;
    if (drops === null) return null;
    this.#countDrops(drops);
    return Math.round(this.#drops.datagrams);
  }

  #countDrops(messages: number): void {
    this.#drops.datagrams += (messages - this.#drops.messages) * this.#drops.datagramsPerMessage;
    this.#drops.messages = messages;
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
    const memory = this.#socket.memory();
    const received = this.#drain();
    if (memory?.drops) this.#countDrops(memory.drops);
    const nowMs = performance.now();
    if (received > 0) this.#lastReceivedAtMs = nowMs;
    if (received > 0 || nowMs < this.#lastReceivedAtMs + idleAfterMs) {
      const filled = memory?.filled ?? 0;
      if (filled > highFillShare) this.#pollIntervalMs = pollMinMs;
      else if (filled < lowFillShare) this.#pollIntervalMs = Math.min(pollMaxMs, this.#pollIntervalMs + 1);
      setTimeout(this.#poll, this.#pollIntervalMs);
      return;
    }
    void this.enterIdle().catch((error: unknown) => {
      this.#options.onError(error instanceof Error ? error : new Error(String(error)));
      setTimeout(this.#poll, errorPauseMs);
    });
  };

  #drain(): number {
    const { counters, onBatch, onError } = this.#options;
    const messagesBefore = counters.messagesReceived;
    let received = 0;
    try {
      while (received < pollDatagramsMax) {
        const { messages, datagrams } = this.#socket.receive(onBatch);
        if (messages > 0) counters.receiveCalls++;
        counters.messagesReceived += messages;
        received += datagrams;
        if (messages < messagesMax) break;
      }
    } catch (error) {
      onError(error instanceof Error ? error : new Error(String(error)));
    }
    if (received > 0)
      this.#drops.datagramsPerMessage = received / (counters.messagesReceived - messagesBefore);
    return received;
  }

  close(): void {
    this.#state = "closed";
    this.#idleSocket?.close();
    this.#socket.close();
  }
}
