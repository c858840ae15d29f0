/**
 * The kernel's receive buffer of the group's socket: its requested size, its granted size, and
 * advice when the two differ.
 */
import type { Socket } from "node:dgram";
import { formatBinarySize, parseSizeBytes } from "../../model/quantity.ts";
import { platform, type Platform } from "../../platform/index.ts";

/** Holds 160 ms of datagrams at 200 Mbit/s, so that a short stall of the disk causes no loss. */
export const defaultReceiveBufferBytes = 4 * 1_048_576;
const bytesMin = 16_384;
const bytesMax = 1_073_741_824;

/**
 * Parses a size such as "208KiB"; undefined means the default.
 * @throws Error that quotes the text when it is not a size from 16 KiB to 1 GiB
 */
export function parseReceiveBuffer(text: string | undefined): number {
  if (text === undefined) return defaultReceiveBufferBytes;
  const bytes = parseSizeBytes(text);
  if (bytes >= bytesMin && bytes <= bytesMax) return bytes;
  throw new Error(`"${text}" is not a receive buffer size: write 16KiB to 1GiB`);
}

/** Requests a buffer and returns the granted size. If the system refuses, the old size stays. */
export function sizeReceiveBuffer(socket: Socket, bytes: number): number {
  try {
    socket.setRecvBufferSize(bytes);
  } catch {
    // macOS refuses a size above its limit; Linux grants the limit.
  }
  return platform.receiveBufferBytes(socket.getRecvBufferSize());
}

/** Returns advice for a person if the granted buffer is smaller than requested; null otherwise. */
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
