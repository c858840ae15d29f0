/**
 * The sockets of a device in its subnet's multicast group: one receives, one sends control frames,
 * one sends symbols. The bus transports and counts datagrams and does not interpret them.
 *
 * It receives through group-receiver.ts, and sends symbols through segment-sender.ts or in batches
 * of Bun.udpSocket. docs/BENCHMARKS.md has the measurements. Every socket names its interface,
 * because the system would otherwise choose one.
 */
import { networkInterfaces } from "node:os";
import type { DatagramBatch } from "../../wire/index.ts";
import { openGroupReceiver, type GroupReceiver } from "./group-receiver.ts";
import { openGroupSender, type GroupSender } from "./group-sender.ts";
import { openSegmentSender, type SegmentSender } from "./segment-sender.ts";
import { defaultReceiveBufferBytes } from "./receive-buffer.ts";
import { LinkSize } from "./link-size.ts";
import { Refusals } from "./refusals.ts";
import { SymbolSender } from "./symbol-sender.ts";
import { formatGroup, type Group } from "./multicast-group.ts";
import { platform } from "../../platform/index.ts";

type LanBusCounters = {
  framesSent: number;
  bytesSent: number;
  framesReceived: number;
  bytesReceived: number;
  /** Calls that read a datagram. */
  receiveCalls: number;
  /** Messages that they read: single datagrams, and runs of datagrams. */
  messagesReceived: number;
  /** Control frames that the system refused to send. */
  framesUnsent: number;
};

export type LanBus = {
  readonly group: Group;
  /** "ADDRESS:PORT" */
  readonly name: string;
  /** Payload of the longest symbol whose frame the interface carries; may change. */
  readonly symbolMaxBytes: number;
  /** Reads the MTU of the interface again. */
  refreshMtu(): Promise<void>;
  /** Granted size of the kernel's receive buffer; may be less than requested. */
  readonly receiveBufferBytes: number;
  /** Datagrams that the kernel dropped at a full buffer; null if it does not report them. */
  kernelDrops(): number | null;
  readonly counters: Readonly<LanBusCounters>;
  /** Sends a control frame; a failure counts as loss. */
  send(datagram: Uint8Array): void;
  /** Sends symbols; returns how many the kernel accepted. The caller retries the others. */
  sendBatch(datagrams: readonly Uint8Array[]): number;
  /**
   * Sends symbols that are contiguous in `bytes`, in one system call if the system can
   * (UDP_SEGMENT). All have the length of the first; only the last may be shorter.
   * @returns how many the kernel accepted; the caller retries the others later, in shorter
   *   datagrams if `symbolMaxBytes` fell
   */
  sendRun(bytes: Uint8Array, datagrams: readonly Uint8Array[]): number;
  close(): void;
};

/** The multicast group cannot be joined on the interface. The message is for a person. */
export class LanBusError extends Error {}

/**
 * Joins the group on the interface with this IPv4 address.
 * @throws LanBusError when the address is not one of this device's, or the group cannot be joined
 */
export async function openLanBus(options: {
  interfaceAddress: string;
  group: Group;
  /** Requested receive buffer; default 4 MiB. */
  receiveBufferBytes?: number | undefined;
  /** Called with each batch of received datagrams; its bytes are valid until the call returns. */
  onBatch: (batch: DatagramBatch) => void;
  /** Called on a receive error, and on the first of consecutive send errors. */
  onError: (error: Error) => void;
}): Promise<LanBus> {
  const { interfaceAddress, group, onBatch, onError } = options;
  const name = interfaceOf(interfaceAddress);
  const size = new LinkSize(await platform.mtuOf(name));
  const counters: LanBusCounters = {
    framesSent: 0,
    bytesSent: 0,
    framesReceived: 0,
    bytesReceived: 0,
    receiveCalls: 0,
    messagesReceived: 0,
    framesUnsent: 0,
  };
  const receiver = await openGroupReceiver({
    interfaceAddress,
    group,
    receiveBufferBytes: options.receiveBufferBytes ?? defaultReceiveBufferBytes,
    onError,
    counters,
    onBatch: (batch) => {
      counters.framesReceived += batch.count;
      for (let index = 0; index < batch.count; index++) counters.bytesReceived += batch.lengths[index]!;
      onBatch(batch);
    },
  }).catch((error: unknown): never => {
    throw busError(options, error);
  });
  const opened: { close(): void }[] = [receiver];
  try {
    const control = await openGroupSender(interfaceAddress, true, onError);
    opened.push(control);
    // Symbols are looped back on a loopback interface only, where several devices share the host.
    const symbols = await openGroupSender(interfaceAddress, interfaceAddress.startsWith("127."), onError);
    opened.push(symbols);
    const runs = openRunSender(options);
    return busOf(group, { name, size }, receiver, { control, symbols, runs }, counters, onError);
  } catch (error) {
    for (const socket of opened) socket.close();
    throw busError(options, error);
  }
}

/** Returns null if UDP_SEGMENT cannot be used; `sendBatch` then sends the symbols. */
function openRunSender({ interfaceAddress, group }: Parameters<typeof openLanBus>[0]): SegmentSender | null {
  try {
    return openSegmentSender({ interfaceAddress, group, loopback: interfaceAddress.startsWith("127.") });
  } catch {
    return null;
  }
}

function busOf(
  group: Group,
  { name, size }: { name: string; size: LinkSize },
  receiver: GroupReceiver,
  { control, symbols, runs }: { control: GroupSender; symbols: GroupSender; runs: SegmentSender | null },
  counters: LanBusCounters,
  onError: (error: Error) => void,
): LanBus {
  const refusals = new Refusals(onError);
  const sender = new SymbolSender({ group, size, socket: symbols, runs, refusals, counters });
  return {
    group,
    name: formatGroup(group),
    get symbolMaxBytes() {
      return size.symbolMaxBytes;
    },
    refreshMtu: async () => size.onMtu(await platform.mtuOf(name)),
    receiveBufferBytes: receiver.receiveBufferBytes,
    kernelDrops: () => receiver.kernelDrops(),
    counters,
    send(datagram) {
      if (refusals.try("control", () => Number(control.send(datagram, group.port, group.address))) > 0) {
        counters.framesSent++;
        counters.bytesSent += datagram.length;
      } else counters.framesUnsent++;
    },
    sendBatch: (datagrams) => sender.sendBatch(datagrams),
    sendRun: (bytes, datagrams) => sender.sendRun(bytes, datagrams),
    close() {
      refusals.silence();
      receiver.close();
      control.close();
      sender.close();
    },
  };
}

/**
 * Returns the name of the interface with this address, without a label ("eth0:1").
 * @throws LanBusError that lists the device's addresses when `address` is not one of them
 */
function interfaceOf(address: string): string {
  const named = networkInterfaces();
  const label = Object.keys(named).find((name) => named[name]?.some((entry) => entry.address === address));
  if (label !== undefined) return label.replace(/:.*$/, "");
  const known = Object.values(named).flatMap((list) => list ?? []);
  const choices = known.filter((entry) => entry.family === "IPv4").map((entry) => entry.address);
  throw new LanBusError(
    `No interface of this device has the address "${address}": choose one of ${choices.join(", ") || "none"}`,
  );
}

function busError(options: { interfaceAddress: string; group: Group }, error: unknown): LanBusError {
  const { address, port } = options.group;
  const cause = error instanceof Error ? error.message : String(error);
  return new LanBusError(
    `Cannot join group "${address}:${port}" on ${options.interfaceAddress}: ${cause} (allow multicast in the firewall, or choose another --group or --interface)`,
    { cause: error },
  );
}
