/** Network namespaces through iproute2: a command inside one, batches of `ip`, `tc` and `nft`. */
import { outputOf } from "../process.ts";

/** Prefix that runs a command inside the namespace; the process keeps its id. */
export const inside = (namespace: string): string[] => ["ip", "netns", "exec", namespace];

/** Prefix that also gives the process a host name of its own, as a device of its own would have. */
export const insideAs = (namespace: string, hostname: string): string[] => [
  ...inside(namespace),
  "unshare",
  "--uts",
  "sh",
  "-c",
  `hostname '${hostname}' && exec "$@"`,
  "sh",
];

/** Runs lines of `ip` in one process. */
export async function ip(namespace: string, lines: readonly string[]): Promise<void> {
  await outputOf(["ip", "-n", namespace, "-batch", "-"], { input: `${lines.join("\n")}\n` });
}

export async function addNamespace(namespace: string): Promise<void> {
  await outputOf(["ip", "netns", "add", namespace]);
  await ip(namespace, ["link set lo up"]);
}

/** Limits what `device` sends. Packets wait up to 200 ms, as in a router's queue, before they are dropped. */
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
    "add",
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

/** Drops that share of everything that arrives, whatever it is, as a bad cable or port would. */
export async function loseArriving(namespace: string, device: string, percent: number): Promise<void> {
  const rules = `table netdev lab {
  chain arriving {
    type filter hook ingress device ${device} priority 0;
    numgen random mod 100000 < ${Math.round(percent * 1_000)} counter drop
  }
}
`;
  await outputOf([...inside(namespace), "nft", "-f", "-"], { input: rules });
}

/** What leaves through `device` gets its address: a site behind address translation. */
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

export async function processesIn(namespace: string): Promise<number[]> {
  const listed = await outputOf(["ip", "netns", "pids", namespace]).catch(() => "");
  return listed.split("\n").filter(Boolean).map(Number);
}

/** Ends what runs inside, then removes it with all its links. */
export async function removeNamespace(namespace: string): Promise<void> {
  for (const pid of await processesIn(namespace)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended by itself.
    }
  }
  await outputOf(["ip", "netns", "del", namespace]);
}
