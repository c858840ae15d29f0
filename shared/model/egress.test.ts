import { expect, test } from "bun:test";
import { egressOf } from "./egress.ts";

test.each([
  ["10.0.0.5/24", "10.0.0.5", "routed"],
  ["10.0.0.5/24", "::ffff:10.0.0.9", "routed"],
  ["127.0.0.1/8", "127.0.0.1", "routed"],
  ["10.0.0.5/24", "203.0.113.7", "203.0.113.7"],
  ["10.0.0.5/24", "::ffff:203.0.113.7", "203.0.113.7"],
  // Each device of a link has an IPv6 address of its own.
  ["10.0.0.5/24", "2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"],
  ["10.0.0.5/24", "2001:db8:1:2:bbbb::2", "2001:db8:1:2::/64"],
  ["2001:db8:1:2::5/64", "2001:db8:1:2::5", "routed"],
])("a device of %s that the source sees as %s has the egress %s", (cidr, remote, egress) => {
  expect(egressOf(cidr, remote)).toBe(egress);
});
