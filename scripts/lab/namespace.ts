/** Network namespaces: commands inside one, links, rates and filters with `ip`, `tc` and `nft`. */
import { outputOf } from "../rig/process.ts";

/** Returns a prefix that runs a command inside the namespace. The process keeps its id. */
export const inside = (namespace: string): string[] => ["ip", "netns", "exec", namespace];

/** Returns a prefix that also gives the process a host name of its own. */
export const insideAs = (namespace: string, hostname: string): string[] => [
  ...inside(namespace),
  "unshare",
  "--uts",
  "sh",
  "-c",
  `hostname '${hostname}' && exec "$@"`,
  "sh",
];

/** Runs lines of `ip` in one process. @throws Error when a line fails */
export async function ip(namespace: string, lines: readonly string[]): Promise<void> {
  await outputOf(["ip", "-n", namespace, "-batch", "-"], { input: `${lines.join("\n")}\n` });
}

export async function addNamespace(namespace: string): Promise<void> {
  await outputOf(["ip", "netns", "add", namespace]);
  await ip(namespace, ["link set lo up"]);
}

/**
 * Limits the rate at which `device` sends, in place of an earlier limit. Packets are queued for up
 * to 200 ms, as in a router, and then dropped.
 */
export async function limitRate(
  namespace: string,
  device: string,
  mbit: number,
  burstBytes: number,
): Promise<void> {
  const rate = `${Math.round(mbit * 1e6)}bit`;
  await outputOf([
    "tc",
    "-n",
    namespace,
    "qdisc",
    "replace",
    "dev",
    device,
    "root",
    "tbf",
    "rate",
    rate,
    "burst",
    String(burstBytes),
    "latency",
    "200ms",
  ]);
}

/** Drops a share of all arriving packets at random, as a bad cable or port does. */
export async function dropIngress(namespace: string, device: string, percent: number): Promise<void> {
  const some = percent < 100 ? `numgen random mod 100000 < ${Math.round(percent * 1_000)}` : "";
  const rules = `table netdev lab {
  chain arriving {
    type filter hook ingress device ${device} priority 0;
    ${some} counter drop
  }
}
`;
  await outputOf([...inside(namespace), "nft", "-f", "-"], { input: rules });
}

/** Removes the filters of `dropIngress` and `impairEgress` from the namespace. */
export async function clearFilters(namespace: string): Promise<void> {
  const rules = "table netdev lab\ndelete table netdev lab\n";
  await outputOf([...inside(namespace), "nft", "-f", "-"], { input: rules });
}

/**
 * Reorders a share of the packets that leave through `device`, and sends another share twice. Many
 * kernels have no netem, so nft marks packets that then wait in a slow htb class next to the fast
 * one.
 */
export async function impairEgress(
  namespace: string,
  device: string,
  share: { readonly latePercent: number; readonly twicePercent: number; readonly lateMbit: number },
): Promise<void> {
  const tc = (...words: string[]) => outputOf(["tc", "-n", namespace, ...words]);
  await tc("qdisc", "replace", "dev", device, "root", "handle", "1:", "htb", "default", "1");
  for (const [id, rate] of [
    ["1:1", "1gbit"],
    ["1:2", `${Math.round(share.lateMbit * 1e6)}bit`],
  ] as const) {
    await tc("class", "add", "dev", device, "parent", "1:", "classid", id, "htb", "rate", rate);
  }
  const rules = `table netdev lab {
  chain leaving {
    type filter hook egress device ${device} priority 0;
    numgen random mod 100000 < ${Math.round(share.twicePercent * 1_000)} counter dup to ${device}
    numgen random mod 100000 < ${Math.round(share.latePercent * 1_000)} counter meta priority set 0x00010002
  }
}
`;
  await outputOf([...inside(namespace), "nft", "-f", "-"], { input: rules });
}

/**
 * Masquerades packets that leave through `device`: the site is behind network address translation.
 */
export async function translateAddresses(namespace: string, device: string): Promise<void> {
  const rules = `table ip lab {
  chain leaving {
    type nat hook postrouting priority srcnat;
    oifname "${device}" masquerade
  }
}
`;
  await outputOf([...inside(namespace), "nft", "-f", "-"], { input: rules });
}

export async function namespaces(): Promise<string[]> {
  const listed = JSON.parse((await outputOf(["ip", "-j", "netns", "list"])) || "[]") as { name: string }[];
  return listed.map(({ name }) => name);
}

async function processesIn(namespace: string): Promise<number[]> {
  const listed = await outputOf(["ip", "netns", "pids", namespace]).catch(() => "");
  return listed.split("\n").filter(Boolean).map(Number);
}

/** Kills the processes inside, then removes the namespace with all its links. */
export async function removeNamespace(namespace: string): Promise<void> {
  for (const pid of await processesIn(namespace)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // The process exited in the meantime.
    }
  }
  await outputOf(["ip", "netns", "del", namespace]);
}
