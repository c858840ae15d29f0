/**
 * Ports of the agent behind real packet filters, in network namespaces. Needs Linux, root and the
 * programs below, or is skipped (network-test.ts).
 */
import { readFile } from "node:fs/promises";
import { expect } from "bun:test";
import { inside } from "../scripts/lab/namespace.ts";
import { outputOf } from "../scripts/rig/process.ts";
import { openLan } from "./lan.ts";
import { networkTest } from "./network-test.ts";
import { statusOf, untilStatus } from "./place.ts";

const portTest = networkTest("ip", "nft", "curl");

/** Admits only answers and the agent's two ports, as OPERATIONS documents. */
const firewall = `table inet fc {
  chain arriving {
    type filter hook input priority 0; policy drop;
    iifname "lo" accept
    ct state established,related accept
    udp dport 7067 accept
    tcp dport 7067 accept
  }
}
`;

portTest(
  "devices that admit only UDP and TCP 7067 exchange chunks by multicast and by unicast",
  async () => {
    await using lan = await openLan({ routers: 1 });
    for (const [at, called] of ["a", "b", "c"].entries()) {
      await lan.add(called, { host: 10 + at, gateway: 1 });
      await outputOf([...inside(lan.names(called)), "nft", "-f", "-"], { input: firewall });
    }
    const places = await Promise.all(["a", "b", "c"].map((called) => lan.start(called)));
    for (const place of places) {
      const { exchange } = await untilStatus(place, 15_000, ({ subnetId }) => subnetId !== null);
      expect(exchange).toMatchObject({ port: 7_067, portProblem: "" });
    }
    const byMulticast = await lan.distribute("multicast.bin", 3_000_000);
    await byMulticast.untilComplete(places);
    await lan.source.admin("setting", "set", "default", "useMulticast=false");
    const byUnicast = await lan.distribute("unicast.bin", 3_000_000);
    await byUnicast.untilComplete(places);
    for (const place of places) expect(await byUnicast.copyError(place)).toBeNull();
    const ways = async (taskId: number) => {
      const { deviceList, subnets } = await lan.task(taskId);
      const sum = (origin: "wan" | "multicast" | "peers") =>
        deviceList.reduce((all, { from }) => all + from[origin], 0);
      return { crossed: subnets[0]!.wanBytes, multicast: sum("multicast"), peers: sum("peers") };
    };
    expect(await ways(byUnicast.taskId)).toEqual({ crossed: 3_000_000, multicast: 0, peers: 6_000_000 });
    const first = await ways(byMulticast.taskId);
    expect(first.crossed).toBe(3_000_000);
    expect(first.multicast).toBeGreaterThan(0);
  },
  90_000,
);

portTest(
  "a second agent of a device takes another port and says so; both exchange chunks",
  async () => {
    await using lan = await openLan({ routers: 1, settings: ["useMulticast=false"] });
    await lan.add("a", { host: 10, gateway: 1 });
    await lan.add("b", { host: 11, gateway: 1 });
    const first = await lan.start("a");
    await untilStatus(first, 15_000, ({ subnetId }) => subnetId !== null);
    const second = await lan.start("a", "a2");
    const named = await lan.start("b", "b", ["--lan-port", "7070"]);
    const { exchange } = await untilStatus(second, 15_000, ({ subnetId }) => subnetId !== null);
    expect(exchange.port).not.toBe(7_067);
    expect(exchange.portProblem).toBe("TCP port 7067 cannot be used: another program uses it");
    expect(await readFile(second.device.program.logFile, "utf8")).toContain(exchange.portProblem);
    await untilStatus(named, 15_000, ({ subnetId }) => subnetId !== null);
    expect((await statusOf(named)).exchange).toMatchObject({ port: 7_070, portProblem: "" });
    const sent = await lan.distribute("a.bin", 2_000_000);
    await sent.untilComplete([first, second, named]);
    const { deviceList, subnets } = await lan.task(sent.taskId);
    expect(subnets.map(({ wanBytes }) => wanBytes)).toEqual([2_000_000]);
    expect(deviceList.reduce((all, { from }) => all + from.peers, 0)).toBe(4_000_000);
  },
  60_000,
);
