import { describe, expect, test } from "bun:test";
import { cidrContains } from "./cidr.ts";
import {
  canonicalAddress,
  isVirtualRouterMac,
  networkOf,
  subnetIdentity,
  type SubnetTraits,
} from "./subnet.ts";

const office: SubnetTraits = {
  address: "192.168.1.20",
  cidr: "192.168.1.0/24",
  gatewayMac: "a4:2b:b0:c1:d2:e3",
  group: "",
};

describe("subnet identity", () => {
  test("is equal for all devices of a subnet, whatever their own address", () => {
    const one = subnetIdentity(office, "203.0.113.7");
    const other = subnetIdentity({ ...office, address: "192.168.1.99" }, "203.0.113.8");
    expect(one.id).toBe(other.id);
    expect(one.id).toMatch(/^[0-9a-f]{16}$/);
  });

  test("differs between two sites with the same private CIDR and different gateways", () => {
    const branch = subnetIdentity({ ...office, gatewayMac: "a4:2b:b0:00:00:01" }, "203.0.113.7");
    expect(branch.id).not.toBe(subnetIdentity(office, "203.0.113.7").id);
  });

  test.each([
    "00:00:5e:00:01:05",
    "00-00-5E-00-02-05",
    "00:00:0c:07:ac:01",
    "00:00:0c:9f:f0:01",
    "00:00:0C:9F:FF:FF",
    "00:05:73:a0:0f:ff",
    "00:07:b4:00:01:02",
    "00:09:0f:09:00:02",
    "00:10:db:ff:10:00",
    "00:1b:17:00:01:10",
    "00:1c:7f:00:fe:01",
    "52:55:0a:00:02:02",
    "52:54:00:12:35:02",
  ])("depends on the egress address, not on the virtual-router MAC %s", (gatewayMac) => {
    expect(isVirtualRouterMac(gatewayMac)).toBe(true);
    const one = subnetIdentity({ ...office, gatewayMac }, "203.0.113.7");
    const other = subnetIdentity({ ...office, gatewayMac }, "198.51.100.1");
    expect(one.site).toBe("egress:203.0.113.7");
    expect(one.id).not.toBe(other.id);
  });

  test.each(["00:00:0c:9f:e0:01", "00:05:73:a0:1f:ff", "00:00:5e:00:03:01", "52:54:00:12:34:56"])(
    "depends on the MAC %s, which is next to those of virtual routers",
    (gatewayMac) => {
      expect(isVirtualRouterMac(gatewayMac)).toBe(false);
      expect(subnetIdentity({ ...office, gatewayMac }, "203.0.113.7").site).toBe(
        `gateway:${gatewayMac.replaceAll(":", "")}`,
      );
    },
  );

  test("is equal for every device of the CIDR without a gateway and without NAT", () => {
    const one = subnetIdentity({ ...office, gatewayMac: null }, "::ffff:192.168.1.20");
    const other = subnetIdentity(
      { ...office, address: "192.168.1.21", gatewayMac: "00:00:00:00:00:00" },
      "192.168.1.21",
    );
    expect(one.site).toBe("routed");
    expect(one.id).toBe(other.id);
  });

  test("differs when the group is set on the command line", () => {
    const byHand = subnetIdentity({ ...office, group: "239.192.7.1:7400" }, "203.0.113.7");
    expect(byHand.id).not.toBe(subnetIdentity(office, "203.0.113.7").id);
  });

  test("ignores host bits and the spelling of the gateway", () => {
    const spelled = { ...office, cidr: "192.168.1.20/24", gatewayMac: "A4-2B-B0-C1-D2-E3" };
    expect(subnetIdentity(spelled, "").id).toBe(subnetIdentity(office, "").id);
  });
});

describe("CIDR", () => {
  test("contains itself and its parts only", () => {
    expect(cidrContains("10.0.0.0/8", "10.1.2.0/24")).toBe(true);
    expect(cidrContains("10.1.2.0/24", "10.1.2.0/24")).toBe(true);
    expect(cidrContains("10.1.2.0/24", "10.0.0.0/8")).toBe(false);
    expect(cidrContains("10.1.2.0/24", "10.1.3.0/24")).toBe(false);
    expect(cidrContains("fd00::/8", "fd12::/64")).toBe(true);
    expect(cidrContains("0.0.0.0/0", "fd12::/64")).toBe(false);
    expect(cidrContains("nonsense", "10.0.0.0/8")).toBe(false);
  });

  test("has one spelling, as an address has", () => {
    expect(networkOf("10.1.2.3/16")).toBe("10.1.0.0/16");
    expect(networkOf("10.1.2.3/33")).toBeNull();
    expect(canonicalAddress("::ffff:10.0.0.1")).toBe("10.0.0.1");
    expect(canonicalAddress("fe80::1%eth0")).toBe("fe80::1");
  });
});
