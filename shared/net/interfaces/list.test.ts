import { describe, expect, test } from "bun:test";
import type { NetInterface } from "../../model/interface.ts";
import { addressTowards, describeInterfaces, networkOf } from "./list.ts";

describe("interfaces", () => {
  test("finds the local address towards a host", async () => {
    expect(await addressTowards("127.0.0.1", 9)).toBe("127.0.0.1");
  });

  test("finds no address towards an unknown host", async () => {
    expect(await addressTowards("no-such-host.invalid", 9)).toBeNull();
  });

  test.each([
    ["10.0.0.7/24", "10.0.0.0/24"],
    ["172.16.77.3/20", "172.16.64.0/20"],
    ["192.0.2.1/32", "192.0.2.1/32"],
    ["1.2.3.4/0", "0.0.0.0/0"],
  ])("computes the network of %s as %s", (address, network) => {
    expect(networkOf(address)).toBe(network);
  });

  test("describes the active interface first, also when a host has hundreds", async () => {
    const interfaces = Array.from({ length: 200 }, (_, index): NetInterface => ({
      name: `veth${index}`,
      address: `10.0.${index}.1`,
      cidr: `10.0.${index}.1/24`,
      mac: "02:00:00:00:00:01",
      medium: "virtual",
      hasLink: true,
      hasGateway: false,
      linkChanges: 0,
    }));
    const described = await describeInterfaces(interfaces, interfaces[150]!, "");
    expect(described).toHaveLength(64);
    expect(described.filter(({ active }) => active).map(({ name }) => name)).toEqual(["veth150"]);
    expect(described[0]!.name).toBe("veth150");
  });
});
