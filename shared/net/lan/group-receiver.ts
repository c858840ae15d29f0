/**
 * How a device hears its group. Where datagrams can be read in batches (recvmmsg.ts), it rests on a socket of
 * the event loop until somebody speaks, then asks every few milliseconds until the group is quiet. Elsewhere node:dgram
 * brings every datagram as an event.
 */
import dgram from "node:dgram";
import { batchDatagramsMax, batchOf, type DatagramBatch } from "../../wire/index.ts";
import { openDatagramSocket, type DatagramSocket } from "./recvmmsg.ts";
import { platform } from "../../platform/index.ts";
import type { Group } from "./multicast-group.ts";
import { sizeReceiveBuffer } from "./receive-buffer.ts";

export type GroupReceiverOptions = {
  readonly interfaceAddress: string;
  readonly group: Group;
  /** Asked for; the system may give less (Linux: net.core.rmem_max). */
  readonly receiveBufferBytes: number;
  /** The bytes are the caller's only until it returns. */
  readonly onBatch: (batch: DatagramBatch) => void;
  readonly onError: (error: Error) => void;
};
export type GroupReceiver = {
  readonly receiveBufferBytes: number;
  /** Datagrams that the system dropped because the buffer was full; null where it does not tell. */
  kernelDrops(): number | null;
  close(): void;
};

/** A timer's shortest time: at 1 Gbit/s 90 datagrams arrive in it. */
const askMsMin = 1;
/** Waking up for a question takes as long as ten datagrams do: what waits longer in the kernel's buffer comes cheaper. */
const askMsMax = 8;
/** The kernel's account of a datagram of 1,466 bytes. */
const bufferedBytes = 1_152;
/** Of the datagrams that the buffer has room for: with less the next question waits longer, with more it comes at once. */
const fewShare = 1 / 8;
const manyShare = 1 / 4;
/** So long without a datagram, and the event loop keeps watch again: opening its socket costs as much as a few questions. */
const restAfterMs = 100;
const errorPauseMs = 1_000;
/** Batches in one go, before the event loop gets its turn. */
const batchesMax = 8;

/** Rejects with the system's reason when the group cannot be joined. */
export async function openGroupReceiver(options: GroupReceiverOptions): Promise<GroupReceiver> {
  const socket = openDatagramSocket(options);
  if (socket === null) return openEventReceiver(options);
  const ears = new BatchReceiver(options, socket);
  try {
    await ears.rest();
  } catch (error) {
    ears.close();
    throw error;
  }
  return ears;
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
  /** Watches while the group is quiet; it is closed meanwhile, else the system would copy every datagram for it too. */
  #watch: dgram.Socket | null = null;
  #state: "resting" | "asking" | "closed" = "resting";
  #heardAtMs = 0;
  #askMs = askMsMin;
  /** Datagrams that the buffer has room for. */
  readonly #room: number;

  constructor(options: GroupReceiverOptions, socket: DatagramSocket) {
    this.#options = options;
    this.#socket = socket;
    this.#room = socket.receiveBufferBytes / bufferedBytes;
  }

  get receiveBufferBytes(): number {
    return this.#socket.receiveBufferBytes;
  }

  kernelDrops(): number | null {
    return this.#socket.kernelDrops();
  }

  async rest(): Promise<void> {
    const watch = await bindGroup(this.#options);
    if (this.#state === "closed") return void watch.close();
    this.#watch = watch;
    this.#state = "resting";
    watch.on("message", () => this.#wake());
    // What came before it was bound.
    if (this.#drain() > 0) this.#wake();
  }

  #wake(): void {
    if (this.#state !== "resting") return;
    this.#state = "asking";
    this.#watch?.close();
    this.#watch = null;
    this.#ask();
  }

  readonly #ask = (): void => {
    if (this.#state !== "asking") return;
    const heard = this.#drain();
    const nowMs = performance.now();
    if (heard > 0) this.#heardAtMs = nowMs;
    if (heard > 0 || nowMs < this.#heardAtMs + restAfterMs) {
      if (heard > this.#room * manyShare) this.#askMs = askMsMin;
      else if (heard < this.#room * fewShare) this.#askMs = Math.min(askMsMax, this.#askMs + 1);
      setTimeout(this.#ask, this.#askMs);
      return;
    }
    void this.rest().catch((error: unknown) => {
      this.#options.onError(error instanceof Error ? error : new Error(String(error)));
      setTimeout(this.#ask, errorPauseMs);
    });
  };

  #drain(): number {
    const { onBatch, onError } = this.#options;
    let heard = 0;
    try {
      for (let batch = 0; batch < batchesMax; batch++) {
        const count = this.#socket.receive(onBatch);
        heard += count;
        if (count < batchDatagramsMax) break;
      }
    } catch (error) {
      onError(error instanceof Error ? error : new Error(String(error)));
    }
    return heard;
  }

  close(): void {
    this.#state = "closed";
    this.#watch?.close();
    this.#socket.close();
  }
}
