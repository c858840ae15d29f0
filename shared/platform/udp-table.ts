/**
 * Counts datagrams that the kernel dropped because a socket's receive buffer was full. Linux
 * reports them for each socket in /proc/net/udp; other systems do not. Sockets of
 * net/lan/recvmmsg.ts read the same count from the socket itself (SO_MEMINFO).
 *
 * The table is read on demand only, never while a datagram is processed.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

type UdpSocketRow = { readonly port: number; readonly inode: string; readonly drops: number };

/** Parses /proc/net/udp by column position (proc(5)). Skips lines of any other form. */
export function parseUdpTable(text: string): UdpSocketRow[] {
  return text.split("\n").flatMap((line) => {
    const match =
      /^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} (?:\S+\s+){6}(\d+) \d+ \S+ (\d+)\s*$/.exec(
        line,
      );
    if (!match) return [];
    return [{ port: Number.parseInt(match[1]!, 16), inode: match[2]!, drops: Number(match[3]) }];
  });
}

/**
 * Sums the drops on `port` of the sockets with these inodes.
 * @param inodes sockets of this process; null if not known, which counts every socket on the port
 */
export function dropsOn(
  rows: readonly UdpSocketRow[],
  port: number,
  inodes: ReadonlySet<string> | null,
): number {
  return rows
    .filter((row) => row.port === port && (inodes === null || inodes.has(row.inode)))
    .reduce((sum, { drops }) => sum + drops, 0);
}

/** Returns the drops of this process's sockets on `port`; null if /proc cannot be read. */
export function readDrops(port: number): number | null {
  try {
    return dropsOn(parseUdpTable(readFileSync("/proc/net/udp", "latin1")), port, ownSocketInodes());
  } catch {
    // Some containers hide /proc.
    return null;
  }
}

function ownSocketInodes(): Set<string> | null {
  const folder = "/proc/self/fd";
  const inodes = new Set<string>();
  try {
    for (const name of readdirSync(folder)) {
      const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`${folder}/${name}`))?.[1];
      if (inode !== undefined) inodes.add(inode);
    }
  } catch {
    return null;
  }
  return inodes;
}

/** Returns an empty text for a descriptor that was closed in the meantime. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
