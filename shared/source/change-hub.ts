/**
 * Event streams to the devices (server-sent events). A notification asks for a check-in, and names
 * the time over which the notified devices spread theirs. A lost stream costs time and no data.
 */
/** Interval of heartbeats. A device treats its stream as lost after three missed ones. */
const heartbeatMs = 20_000;

/** Time in which a device that lost its stream connects again. */
export const reconnectMs = 60_000;

type Stream = ReadableStreamDefaultController<Uint8Array>;
const encoder = new TextEncoder();
/**
 * Check-ins a second that the source asks for. One process answers 970 with few tasks (measured),
 * and leases and reports need the rest.
 */
const checkInsPerSecond = 250;
/** Returns the time over which this number of devices spreads its check-ins. */
const spreadMsFor = (devices: number): number => Math.ceil((devices * 1_000) / checkInsPerSecond);
const eventOf = (name: "wake" | "hello", devices: number): Uint8Array =>
  encoder.encode(`event: ${name}\ndata: {"spreadMs":${spreadMsFor(devices)}}\n\n`);
const heartbeat = encoder.encode(": heartbeat\n\n");
/**
 * Upper bound on unread events of one stream. A device that does not read its stream is
 * disconnected.
 */
const unreadMax = 64;

/** Streams of one device: one that it lost may seem open for minutes. The newest ones stay. */
const streamsPerDeviceMax = 2;

export class ChangeHub {
  readonly #streams = new Map<string, Set<Stream>>();
  /** Subnets of the connected devices, and the number of these on each subnet. */
  readonly #places = new Map<string, string>();
  readonly #onSubnet = new Map<string, number>();
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #enrolledAtStart: number;
  readonly #settledAtMs: number;

  /**
   * @param enrolledAtStart devices that may connect; all do so after a restart of the source
   * @param startedAtMs time of the start; 0: long ago
   */
  constructor(enrolledAtStart: number, startedAtMs = 0) {
    this.#enrolledAtStart = enrolledAtStart;
    this.#settledAtMs = startedAtMs + reconnectMs + spreadMsFor(enrolledAtStart);
    this.#timer = setInterval(() => this.#sendAll(heartbeat), heartbeatMs);
    this.#timer.unref();
  }

  /**
   * Returns the body of the event stream of one device.
   * @param onLost called when the connection ends
   */
  open(
    deviceId: string,
    onLost: () => void = () => {},
    subnetId: string | null = null,
  ): ReadableStream<Uint8Array> {
    let own: Stream;
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          own = controller;
          const streams = this.#streams.get(deviceId) ?? new Set();
          for (const oldest of [...streams].slice(0, 1 - streamsPerDeviceMax + streams.size)) {
            streams.delete(oldest);
            oldest.close();
          }
          this.#streams.set(deviceId, streams.add(controller));
          this.place(deviceId, subnetId);
          // Names the spread of the reconnections after a loss of the source.
          controller.enqueue(eventOf("hello", Math.max(this.#enrolledAtStart, this.#streams.size)));
        },
        cancel: () => {
          this.#drop(deviceId, own);
          onLost();
        },
      },
      { highWaterMark: unreadMax },
    );
  }

  /** Notes the subnet of a device; devices that are not connected are left out. */
  place(deviceId: string, subnetId: string | null): void {
    const before = this.#places.get(deviceId);
    const after = this.#streams.has(deviceId) ? (subnetId ?? undefined) : undefined;
    if (before === after) return;
    if (before !== undefined) this.#count(before, -1);
    this.#places.delete(deviceId);
    if (after === undefined) return;
    this.#places.set(deviceId, after);
    this.#count(after, 1);
  }

  #count(subnetId: string, change: number): void {
    const devices = (this.#onSubnet.get(subnetId) ?? 0) + change;
    if (devices === 0) this.#onSubnet.delete(subnetId);
    else this.#onSubnet.set(subnetId, devices);
  }

  /** Returns the number of connected devices of each subnet that has one. */
  get connectedBySubnet(): ReadonlyMap<string, number> {
    return this.#onSubnet;
  }

  isConnected(deviceId: string): boolean {
    return this.#streams.has(deviceId);
  }

  /** Whether the devices that are up have had the time to connect since the source started. */
  isSettled(nowMs: number): boolean {
    return nowMs >= this.#settledAtMs;
  }

  /** Returns the connected devices by their subnets. */
  get idsBySubnet(): Map<string, string[]> {
    const found = new Map<string, string[]>();
    for (const [deviceId, subnetId] of this.#places) {
      const ids = found.get(subnetId);
      if (ids === undefined) found.set(subnetId, [deviceId]);
      else ids.push(deviceId);
    }
    return found;
  }

  get connectedIds(): string[] {
    return [...this.#streams.keys()];
  }

  get connectedDevices(): number {
    return this.#streams.size;
  }

  /** Asks these devices to check in. */
  notify(deviceIds: readonly string[]): void {
    const connected = deviceIds.filter((deviceId) => this.#streams.has(deviceId));
    const wake = eventOf("wake", connected.length);
    for (const deviceId of connected) {
      for (const stream of this.#streams.get(deviceId) ?? []) this.#send(deviceId, stream, wake);
    }
  }

  /** Asks a device to check in at once, and closes its streams: its credential is barred. */
  disconnect(deviceId: string): void {
    const streams = this.#streams.get(deviceId);
    if (streams === undefined) return;
    this.#streams.delete(deviceId);
    this.place(deviceId, null);
    for (const stream of streams) {
      if ((stream.desiredSize ?? 0) > 0) stream.enqueue(eventOf("wake", 0));
      stream.close();
    }
  }

  /** Asks every connected device to check in. */
  notifyAll(): void {
    this.#sendAll(eventOf("wake", this.#streams.size));
  }

  close(): void {
    clearInterval(this.#timer);
    for (const streams of this.#streams.values()) {
      for (const stream of streams) stream.close();
    }
    this.#streams.clear();
  }

  #sendAll(bytes: Uint8Array): void {
    for (const [deviceId, streams] of this.#streams) {
      for (const stream of streams) this.#send(deviceId, stream, bytes);
    }
  }

  #send(deviceId: string, stream: Stream, bytes: Uint8Array): void {
    if ((stream.desiredSize ?? 0) > 0) return stream.enqueue(bytes);
    this.#drop(deviceId, stream);
    stream.error(new Error("the device does not read its event stream"));
  }

  #drop(deviceId: string, stream: Stream): void {
    const streams = this.#streams.get(deviceId);
    streams?.delete(stream);
    if (streams?.size !== 0) return;
    this.#streams.delete(deviceId);
    this.place(deviceId, null);
  }
}
