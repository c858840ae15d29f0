import { expect, test } from "bun:test";
import { bestGateway, gatewayInNetstat } from "./routes.ts";

const macos = `Routing tables

Internet:
Destination        Gateway            Flags               Netif Expire
default            10.8.0.1           UGScg               utun3
default            192.168.1.1        UGScIg                en0
10.8.0.1           10.8.0.2           UH                  utun3
127                127.0.0.1          UCS                   lo0
192.168.1          link#6             UCS                   en0      !
192.168.1.1        a4:2b:b0:c1:d2:e3  UHLWIir               en0   1164
198.51.100.7/32    192.168.7.1        UGSc                  en5
`;

test.each([
  ["en0", "192.168.1.1"],
  ["utun3", "10.8.0.1"],
  ["en5", "192.168.7.1"],
  ["lo0", null],
])("macOS: the gateway of interface %s is %p", (name, gateway) => {
  expect(gatewayInNetstat(macos, name)).toBe(gateway);
});

test("of equal routes the lowest address is the gateway", () => {
  const route = { isDefault: true, metric: 100 };
  expect(
    bestGateway([
      { ...route, gateway: "10.0.0.10" },
      { ...route, gateway: "10.0.0.9" },
    ]),
  ).toBe("10.0.0.9");
});

test("a default route counts more than the metric, and a route to one host at least", () => {
  const toHost = { gateway: "10.0.0.1", isDefault: false, metric: 1 };
  expect(bestGateway([toHost, { gateway: "10.0.0.2", isDefault: true, metric: 100 }])).toBe("10.0.0.2");
  expect(bestGateway([toHost])).toBe("10.0.0.1");
  expect(bestGateway([])).toBeNull();
});
