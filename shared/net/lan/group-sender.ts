/** Socket that sends to a multicast group on one interface. */

export type GroupSender = Bun.udp.Socket<"uint8array">;

/**
 * Opens the socket. A host or router may answer a datagram by an ICMP error, which anybody on the
 * LAN can forge: the first one is reported, and the socket keeps sending.
 */
export async function openGroupSender(
  interfaceAddress: string,
  loopback: boolean,
  onError: (error: Error) => void,
): Promise<GroupSender> {
  let isReported = false;
  // Bun passes the error alone, and its types say that the socket comes first.
  const onAnswer = (...given: readonly unknown[]): void => {
    if (isReported) return;
    isReported = true;
    const cause = given.find((one) => one instanceof Error);
    onError(new Error(`The network refuses datagrams: ${cause?.message ?? "unknown error"}`, { cause }));
  };
  const socket = await Bun.udpSocket({
    hostname: interfaceAddress,
    binaryType: "uint8array",
    socket: { error: onAnswer },
  });
  try {
    socket.setMulticastInterface(interfaceAddress);
    socket.setMulticastTTL(1);
    socket.setMulticastLoopback(loopback);
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}
