/**
 * Datagrams that reached this device and were dropped by its kernel, because a socket's receive buffer was full: losses
 * that no other counter shows. Linux tells them per socket in /proc/net/udp; other systems do not tell.
 *
 * Read when somebody asks for them, never on the way of a datagram.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export type UdpSocketRow = { readonly port: number; readonly inode: string; readonly drops: number };

/** The table of /proc/net/udp; columns by their place, as proc(5) has them. Lines of another form are left out. */
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
 * Drops of the sockets of this process on `port`; of every socket on it when the process's own cannot be told.
 * @param inodes null: not known
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

/** Null where /proc is hidden. */
export function readDrops(port: number): number | null {
  try {
    return dropsOn(parseUdpTable(readFileSync("/proc/net/udp", "latin1")), port, ownSocketInodes());
  } catch {
    // As some containers do.
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

/** Empty for a descriptor that was closed meanwhile. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
