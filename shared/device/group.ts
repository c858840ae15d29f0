/** The multicast group as a device uses it: the port to the LAN's sockets. */

export type Group = {
  /** "ADDRESS:PORT" */
  readonly name: string;
  readonly counters: { readonly framesSent: number; readonly framesReceived: number };
  /** Datagrams lost because the receive buffer was full; null: the system does not report them. */
  kernelDrops(): number | null;
  send(datagram: Uint8Array): void;
  /**
   * Sends datagrams that are stored one after the other in `bytes`, each as long as the first; the last may be shorter.
   * @returns how many the system took; the rest is offered again after a moment
   */
  sendRun(bytes: Uint8Array, datagrams: readonly Uint8Array[]): number;
};
