import { describe, expect, test } from "bun:test";
import { reasonText } from "../model/reason.ts";
import { unicastCause } from "./delivery-text.ts";
import { type GroupReception } from "./group-reception.ts";

const receptionOf = (more: Partial<GroupReception> = {}): GroupReception => ({
  group: "239.255.70.67:7067",
  symbolMaxBytes: 1_400,
  own: "received",
  others: "never received",
  ...more,
});

const textOf = (why: Parameters<typeof unicastCause>[0], reception: GroupReception): string => {
  const cause = unicastCause(why, reception, 1_400);
  return cause === null ? "" : reasonText(cause);
};

describe("the text on why chunks come by unicast", () => {
  test("names the firewall of a device that does not receive its own frames", () => {
    expect(textOf("unheard", receptionOf({ own: "not received" }))).toContain(
      "firewall seems to block inbound UDP",
    );
    expect(textOf("fell-silent", receptionOf({ own: "not received", others: "received before" }))).toContain(
      "inbound UDP",
    );
  });

  test("names IGMP snooping for a group that was received before", () => {
    const text =
      "nothing is received on 239.255.70.67:7067 any more: the switch seems to prune the group, turn on an IGMP querier";
    expect(textOf("fell-silent", receptionOf({ others: "received before" }))).toBe(text);
    expect(textOf("unheard", receptionOf({ others: "received before" }))).toBe(text);
  });

  test("names both causes if no other device was ever received", () => {
    expect(textOf("unheard", receptionOf())).toBe(
      "nothing is received on 239.255.70.67:7067: the switch seems to drop multicast, or to prune the group because there is no IGMP querier",
    );
  });

  test("names the port or firewall of the representative if other devices are received", () => {
    expect(textOf("unheard", receptionOf({ others: "received" }))).toContain("the representative is not");
  });

  test("names IGMP snooping if only the representative is no longer received", () => {
    expect(textOf("fell-silent", receptionOf({ others: "received" }))).toContain("turn on an IGMP querier");
  });

  test("names the cause of each other reason", () => {
    expect(textOf("", receptionOf())).toBe("");
    expect(textOf("switched-off", receptionOf())).toBe("the setting is useMulticast=false");
    expect(textOf("switched-off", receptionOf({ group: null }))).toBe("this device could not join the group");
    expect(textOf("no-data", receptionOf())).toBe(
      "announcements are received on 239.255.70.67:7067, multicast data in packets of 1494 bytes is not: look for a rate limit or a filter of multicast, or a smaller MTU on the way",
    );
    expect(textOf("oversized", receptionOf({ symbolMaxBytes: 1_304 }))).toBe(
      "the representative sends packets of 1494 bytes on 239.255.70.67:7067, and the MTU of this interface lets 1398 bytes pass",
    );
    expect(textOf("not-heard", receptionOf())).toContain("does not receive this device");
    expect(textOf("wireless", receptionOf())).toContain("wireless");
  });
});
