/**
 * Sends magic packets of Wake-on-LAN as UDP broadcasts into the network of one interface. The
 * socket is bound to the address of the interface, and needs no privileges.
 */
import dgram from "node:dgram";
import type { OwnInterface } from "../../model/neighbour.ts";
import { broadcastOf, magicPacket, wakePort } from "../../model/wake-on-lan.ts";

/** Time between two packets: a burst to sleeping network cards would be lost in a switch. */
const packetSpacingMs = 5;

/**
 * Sends one packet for each MAC address.
 *
 * @param macs six bytes each
 * @throws Error when the interface's network has no broadcast address, or the system refuses
 */
export async function sendMagicPackets(own: OwnInterface, macs: readonly Uint8Array[]): Promise<void> {
  const to = broadcastOf(own.cidr);
  if (to === null) throw new Error(`the network ${own.cidr} has no broadcast address`);
  const socket = await openBroadcastSocket(own.address);
  try {
    for (const [index, mac] of macs.entries()) {
      if (index > 0) await Bun.sleep(packetSpacingMs);
      await send(socket, magicPacket(mac), to);
    }
  } finally {
    socket.close();
  }
}

function openBroadcastSocket(address: string): Promise<dgram.Socket> {
  const socket = dgram.createSocket("udp4");
  const { promise, resolve, reject } = Promise.withResolvers<dgram.Socket>();
  socket.once("error", (error) => {
    socket.close();
    reject(error);
  });
  socket.bind(0, address, () => {
    socket.removeAllListeners("error");
    socket.on("error", () => {});
    socket.setBroadcast(true);
    resolve(socket);
  });
  return promise;
}

const send = (socket: dgram.Socket, packet: Uint8Array, to: string): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.send(packet, wakePort, to, (error) => (error ? reject(error) : resolve()));
  });
