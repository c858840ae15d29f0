import { describe, expect, test } from "bun:test";
import { clientAddress, parseTrustedProxies, statesTls } from "./client-address.ts";

const trusted = parseTrustedProxies(["10.0.0.0/8", "2001:db8:1::/48", "127.0.0.1"]);
const proxy = "10.1.2.3";
const from = (peer: string, headers: Record<string, string>): string =>
  clientAddress(peer, new Headers(headers), trusted);

describe("address of a client", () => {
  test("is the socket's when the peer is not a trusted proxy", () => {
    expect(from("203.0.113.9", { "x-forwarded-for": "198.51.100.7" })).toBe("203.0.113.9");
    expect(from("203.0.113.9", { forwarded: "for=198.51.100.7" })).toBe("203.0.113.9");
    expect(clientAddress("10.1.2.3", new Headers({ "x-forwarded-for": "198.51.100.7" }), [])).toBe(
      "10.1.2.3",
    );
    expect(from("", { "x-forwarded-for": "198.51.100.7" })).toBe("");
  });

  test.each([
    ["198.51.100.7", "198.51.100.7"],
    ["198.51.100.7:4711", "198.51.100.7"],
    ["::ffff:198.51.100.7", "198.51.100.7"],
    ["2001:DB8::7", "2001:db8::7"],
    ["[2001:db8::7]:443", "2001:db8::7"],
    // The client states the left part; the right part is what the proxies saw.
    ["192.168.1.1, 198.51.100.7", "198.51.100.7"],
    ["6.6.6.6, 198.51.100.7, 10.9.9.9, 2001:db8:1::5", "198.51.100.7"],
    ["nonsense, 198.51.100.7, 10.9.9.9", "198.51.100.7"],
    // A proxy on the same machine, over a Unix socket.
    ["198.51.100.7, unix:", "198.51.100.7"],
    // A client inside the trusted network.
    ["10.7.7.7", "10.7.7.7"],
    ["10.7.7.7, 10.9.9.9", "10.7.7.7"],
  ])("is read from the right of X-Forwarded-For %s", (value, address) => {
    expect(from(proxy, { "x-forwarded-for": value })).toBe(address);
  });

  test.each([
    ["for=198.51.100.7", "198.51.100.7"],
    ['For="[2001:db8::7]:4711";proto=https', "2001:db8::7"],
    ['proto=https;by=10.1.2.3;for="198.51.100.7:80"', "198.51.100.7"],
    ['for=6.6.6.6, for=198.51.100.7;host="a:80", for=10.9.9.9', "198.51.100.7"],
    ["for=198.51.100.7; proto=https,\tfor=10.9.9.9:80", "198.51.100.7"],
    // Text of a client stays left of what the proxy appends.
    ['for=6.6.6.6;x=", for=198.51.100.7', "198.51.100.7"],
    ['for=6.6.6.6;x="\\, for="[2001:db8::7]"', "2001:db8::7"],
    [", , nonsense;;, for=198.51.100.7", "198.51.100.7"],
  ])("is read from the right of Forwarded %s", (value, address) => {
    expect(from(proxy, { forwarded: value })).toBe(address);
  });

  test.each([
    [{}],
    [{ "x-forwarded-for": "" }],
    [{ "x-forwarded-for": "198.51.100.7, unknown" }],
    [{ "x-forwarded-for": "198.51.100.7, 1.2.3" }],
    [{ "x-forwarded-for": "198.51.100.7," }],
    [{ "x-forwarded-for": "unix:" }],
    [{ forwarded: "for=198.51.100.7, for=unknown" }],
    [{ forwarded: "for=198.51.100.7, proto=https" }],
    [{ forwarded: "for=198.51.100.7; " }],
    [{ forwarded: 'for="198.51.100.7' }],
    [{ forwarded: "198.51.100.7" }],
    [{ forwarded: "for=_hidden" }],
    [{ forwarded: "for=6.6.6.6;for=198.51.100.7" }],
    [{ forwarded: "for = 198.51.100.7" }],
    [{ forwarded: 'for="198.51.100.7\\"' }],
    // A Host header of the client, which the proxy repeats.
    [{ forwarded: 'for=198.51.100.7;host="a, for=6.6.6.6;b="' }],
    [{ forwarded: 'for=198.51.100.7;host="a, for=6.6.6.6"' }],
    [{ "x-forwarded-for": "[198.51.100.7]" }],
    [{ "x-forwarded-for": "198.51.100.7:" }],
    [{ "x-forwarded-for": "198.51.100.7:123456" }],
    [{ "x-forwarded-for": "[2001:db8::7%eth0]" }],
    [{ "x-forwarded-for": "fe80::7%eth0" }],
    [{ "x-forwarded-for": "198.51.100.07" }],
    [{ "x-forwarded-for": "\u00a0198.51.100.7" }],
    // The proxy sets only one of them, and the client the other one.
    [{ forwarded: "for=6.6.6.6", "x-forwarded-for": "198.51.100.7" }],
    [{ forwarded: "6.6.6.6", "x-forwarded-for": "198.51.100.7" }],
    [{ forwarded: "for=198.51.100.7", "x-forwarded-for": "nonsense" }],
  ])("is the proxy's when the headers state none: %j", (headers) => {
    expect(from(proxy, headers as Record<string, string>)).toBe(proxy);
  });

  test("is the stated one when both headers agree, and for a mapped address of the proxy", () => {
    const headers = { forwarded: "for=198.51.100.7", "x-forwarded-for": "198.51.100.7" };
    expect(from("::ffff:10.1.2.3", headers)).toBe("198.51.100.7");
  });
});

test.each([
  [proxy, { "x-forwarded-proto": "https" }, true],
  [proxy, { "x-forwarded-proto": "http, HTTPS" }, true],
  [proxy, { forwarded: 'for=198.51.100.7;proto="https";by=10.0.0.1' }, true],
  [proxy, { forwarded: "for=198.51.100.7;proto=http", "x-forwarded-proto": "https" }, false],
  [proxy, { "x-forwarded-proto": "https, http" }, false],
  [proxy, { forwarded: "for=198.51.100.7;notproto=https" }, false],
  [proxy, {}, false],
  ["203.0.113.9", { "x-forwarded-proto": "https" }, false],
] as const)("TLS of the client of %p with the headers %j: %p", (peer, headers, expected) => {
  expect(statesTls(peer, new Headers(headers as Record<string, string>), trusted)).toBe(expected);
});

describe("trusted proxies", () => {
  test.each(["0.0.0.0/0", "::/0", "::ffff:0.0.0.0/96"])("do not include everybody, as in %s", (text) => {
    expect(() => parseTrustedProxies([text])).toThrow(`"${text}" trusts every client`);
  });

  test("include a mapped CIDR under its IPv4 form", () => {
    const mapped = parseTrustedProxies(["::ffff:10.0.0.0/104"]);
    expect(clientAddress(proxy, new Headers({ "x-forwarded-for": "198.51.100.7" }), mapped)).toBe(
      "198.51.100.7",
    );
  });

  test.each(["", "10.0.0.0/33", "10.0.0/8", "proxy.example", "10.0.0.0/8/8", "10.0.0.0/", "::/129"])(
    "are refused as %p",
    (text) => {
      expect(() => parseTrustedProxies([text])).toThrow(`"${text}" is not a CIDR`);
    },
  );
});
