/** Counters since the group was joined. */
export type GroupCounters = {
  /** Datagrams. */
  framesSent: number;
  framesReceived: number;
  /** System calls that read a datagram. */
  receiveCalls: number;
  /** Messages that they read: single datagrams, and runs of datagrams. */
  messagesReceived: number;
};

/** The multicast group as a device uses it: a port. net/lan/lan-bus.ts implements it. */
export type Group = {
  /** "ADDRESS:PORT" */
  readonly name: string;
  readonly counters: Readonly<GroupCounters>;
  /** Payload of the longest symbol whose frame the interface carries; may change. */
  readonly symbolMaxBytes: number;
  /** Datagrams lost because the receive buffer was full; null: the system does not report them. */
  kernelDrops(): number | null;
  send(datagram: Uint8Array): void;
  /**
   * Sends datagrams that are stored one after the other in `bytes`. All have the length of the
   * first; the last may be shorter.
   * @returns how many the system accepted; the caller sends the others again later, in shorter
   * datagrams if `symbolMaxBytes` fell
   */
  sendRun(bytes: Uint8Array, datagrams: readonly Uint8Array[]): number;
};
