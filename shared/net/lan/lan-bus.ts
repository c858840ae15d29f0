/**
 * The device's place in its subnet's multicast group: one socket that hears the group, one that speaks control
 * frames and one that sends symbols. It moves datagrams and counts them; what they mean is not its business.
 *
 * Hears through group-receiver.ts, sends with Bun.udpSocket (batches): measured, see docs/ARCHITECTURE.md. Names the
 * interface always: without it the system joins one of its own choice.
 */
import { networkInterfaces } from "node:os";
import type { DatagramBatch } from "../../wire/index.ts";
import { openGroupReceiver, type GroupReceiver } from "./group-receiver.ts";
import { openSegmentSender, type SegmentSender } from "./segment-sender.ts";
import { defaultReceiveBufferBytes } from "./receive-buffer.ts";
import type { Group } from "./multicast-group.ts";

export type LanBusCounters = {
  framesSent: number;
  bytesSent: number;
  framesHeard: number;
  bytesHeard: number;
  framesUnsent: number;
};

export type LanBus = {
  readonly group: Group;
  /** What the system gave; it may be less than was asked for. */
  readonly receiveBufferBytes: number;
  /** Datagrams lost because that buffer was full; read from the system at every call. Null: it does not tell. */
  kernelDrops(): number | null;
  readonly counters: Readonly<LanBusCounters>;
  send(datagram: Uint8Array): void;
  /** Sends a batch; returns how many the kernel took. The rest is to be sent again after a moment. */
  sendBatch(datagrams: readonly Uint8Array[]): number;
  /**
   * The same for datagrams that lie one after the other in `bytes`, all as long as the first, the last one perhaps
   * shorter: where the system can, all of them in one go.
   */
  sendRun(bytes: Uint8Array, datagrams: readonly Uint8Array[]): number;
  close(): void;
};

export class LanBusError extends Error {}

/** @throws LanBusError that names group and interface and says what to do. */
export async function openLanBus(options: {
  interfaceAddress: string;
  group: Group;
  /** To ask the system for. */
  receiveBufferBytes?: number | undefined;
  /** Called with what came together; the bytes are the caller's only until it returns. */
  onBatch: (batch: DatagramBatch) => void;
  onError: (error: Error) => void;
}): Promise<LanBus> {
  const { interfaceAddress, group, onBatch, onError } = options;
  requireInterface(interfaceAddress);
  const counters: LanBusCounters = {
    framesSent: 0,
    bytesSent: 0,
    framesHeard: 0,
    bytesHeard: 0,
    framesUnsent: 0,
  };
  const ears = await openGroupReceiver({
    interfaceAddress,
    group,
    receiveBufferBytes: options.receiveBufferBytes ?? defaultReceiveBufferBytes,
    onError,
    onBatch: (batch) => {
      counters.framesHeard += batch.count;
      for (let index = 0; index < batch.count; index++) counters.bytesHeard += batch.lengths[index]!;
      onBatch(batch);
    },
  }).catch((error: unknown): never => {
    throw busError(options, error);
  });
  try {
    const control = await openGroupSender(interfaceAddress, true);
    // A device need not hear its own data; several devices on one host's loopback interface must.
    const symbols = await openGroupSender(interfaceAddress, interfaceAddress.startsWith("127."));
    const runs = openRuns(options);
    return busOf(group, ears, { control, symbols, runs }, counters, onError);
  } catch (error) {
    ears.close();
    throw busError(options, error);
  }
}

/** Whatever keeps it from sending runs, datagrams can go one by one. */
function openRuns({ interfaceAddress, group }: Parameters<typeof openLanBus>[0]): SegmentSender | null {
  try {
    return openSegmentSender({ interfaceAddress, group, hearsItself: interfaceAddress.startsWith("127.") });
  } catch {
    return null;
  }
}

type GroupSender = Bun.udp.Socket<"uint8array">;

function busOf(
  group: Group,
  ears: GroupReceiver,
  { control, symbols, runs }: { control: GroupSender; symbols: GroupSender; runs: SegmentSender | null },
  counters: LanBusCounters,
  onError: (error: Error) => void,
): LanBus {
  let isRefused = false;
  /** A cable that is pulled out makes the system refuse: that is loss, and is said once. Returns how many were sent. */
  const attempt = (sending: () => number): number => {
    try {
      const sent = sending();
      if (sent > 0) isRefused = false;
      return sent;
    } catch (error) {
      if (!isRefused) onError(error instanceof Error ? error : new Error(String(error)));
      isRefused = true;
      return 0;
    }
  };
  const sendBatch = (datagrams: readonly Uint8Array[]): number => {
    const packets: (Uint8Array | string | number)[] = [];
    for (const datagram of datagrams) packets.push(datagram, group.port, group.address);
    const sent = attempt(() => symbols.sendMany(packets));
    for (let i = 0; i < sent; i++) counters.bytesSent += datagrams[i]!.length;
    counters.framesSent += sent;
    return sent;
  };
  return {
    group,
    receiveBufferBytes: ears.receiveBufferBytes,
    kernelDrops: () => ears.kernelDrops(),
    counters,
    send(datagram) {
      if (attempt(() => Number(control.send(datagram, group.port, group.address))) > 0) {
        counters.framesSent++;
        counters.bytesSent += datagram.length;
      } else counters.framesUnsent++;
    },
    sendBatch,
    sendRun(bytes, datagrams) {
      if (runs === null || datagrams.length < 2) return sendBatch(datagrams);
      const sent = attempt(() => (runs.send(bytes, datagrams[0]!.length) ? datagrams.length : 0));
      counters.framesSent += sent;
      if (sent > 0) counters.bytesSent += bytes.length;
      return sent;
    },
    close() {
      // Whoever still sends is told nothing: the network is gone.
      isRefused = true;
      ears.close();
      control.close();
      symbols.close();
      runs?.close();
    },
  };
}

/** @throws LanBusError listing the addresses there are */
export function requireInterface(address: string): void {
  const known = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  if (known.some((entry) => entry.address === address)) return;
  const choices = known.filter((entry) => entry.family === "IPv4").map((entry) => entry.address);
  throw new LanBusError(
    `No interface of this device has the address "${address}": choose one of ${choices.join(", ") || "none"}`,
  );
}

async function openGroupSender(
  interfaceAddress: string,
  hearsItself: boolean,
): Promise<Bun.udp.Socket<"uint8array">> {
  const socket = await Bun.udpSocket({ hostname: interfaceAddress, binaryType: "uint8array", socket: {} });
  socket.setMulticastInterface(interfaceAddress);
  socket.setMulticastTTL(1);
  socket.setMulticastLoopback(hearsItself);
  return socket;
}

function busError(options: { interfaceAddress: string; group: Group }, error: unknown): LanBusError {
  const { address, port } = options.group;
  const cause = error instanceof Error ? error.message : String(error);
  return new LanBusError(
    `Cannot join group "${address}:${port}" on ${options.interfaceAddress}: ${cause} (allow multicast in the firewall, or choose another --group or --interface)`,
    { cause: error },
  );
}
