/** The kernel's buffer for what the group's socket hears: how much is asked for, what came of it, what to do then. */
import type { Socket } from "node:dgram";
import { formatBinarySize, parseSizeBytes } from "../../model/quantity.ts";
import { platform, type Platform } from "../../platform/index.ts";

/** 160 ms at 200 Mbit/s: a disk that stalls for a moment loses nothing. */
export const defaultReceiveBufferBytes = 4 * 1_048_576;
const bytesMin = 16_384;
const bytesMax = 1_073_741_824;

/** @throws Error that quotes the text. */
export function parseReceiveBuffer(text: string | undefined): number {
  if (text === undefined) return defaultReceiveBufferBytes;
  const bytes = parseSizeBytes(text);
  if (bytes >= bytesMin && bytes <= bytesMax) return bytes;
  throw new Error(`"${text}" is no receive buffer: write 16KiB to 1GiB`);
}

/** Asks for a buffer and returns what the socket has then. A system that refuses leaves the one there was. */
export function sizeReceiveBuffer(socket: Socket, bytes: number): number {
  try {
    socket.setRecvBufferSize(bytes);
  } catch {
    // macOS refuses more than its limit, Linux gives what it may.
  }
  return platform.receiveBufferBytes(socket.getRecvBufferSize());
}

/** What to do about a buffer that is smaller than asked for; null when it is not. */
export function receiveBufferAdvice(
  askedBytes: number,
  givenBytes: number,
  system: Pick<Platform, "raiseReceiveBuffer"> = platform,
): string | null {
  if (givenBytes >= askedBytes) return null;
  const what = `the system gave a receive buffer of ${formatBinarySize(givenBytes)} instead of ${formatBinarySize(askedBytes)}`;
  const limit = system.raiseReceiveBuffer(askedBytes);
  const way = limit === null ? "" : `raise its limit (${limit}) and start the agent again, or `;
  return `${what}: at high rates datagrams are lost; ${way}ask for less with --receive-buffer`;
}
