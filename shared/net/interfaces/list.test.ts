import { describe, expect, test } from "bun:test";
import { addressTowards, networkOf } from "./list.ts";

describe("interfaces", () => {
  test("the address towards a host is the one the system would use", async () => {
    expect(await addressTowards("127.0.0.1", 9)).toBe("127.0.0.1");
  });

  test("towards a host that nobody knows there is none", async () => {
    expect(await addressTowards("no-such-host.invalid", 9)).toBeNull();
  });

  test.each([
    ["10.0.0.7/24", "10.0.0.0/24"],
    ["172.16.77.3/20", "172.16.64.0/20"],
    ["192.0.2.1/32", "192.0.2.1/32"],
    ["1.2.3.4/0", "0.0.0.0/0"],
  ])("%s lies in %s", (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});
