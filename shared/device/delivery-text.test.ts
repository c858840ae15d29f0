import { describe, expect, test } from "bun:test";
import { unicastReasonText } from "./delivery-text.ts";
import { type GroupReception } from "./group-reception.ts";

const receptionOf = (more: Partial<GroupReception> = {}): GroupReception => ({
  group: "239.255.70.67:7067",
  own: "received",
  others: "never received",
  ...more,
});

describe("the text on why chunks come by unicast", () => {
  test("names the firewall of a device that does not receive its own frames", () => {
    expect(unicastReasonText("unheard", receptionOf({ own: "not received" }))).toContain(
      "firewall seems to block inbound UDP",
    );
    expect(
      unicastReasonText("fell-silent", receptionOf({ own: "not received", others: "received before" })),
    ).toContain("inbound UDP");
  });

  test("names IGMP snooping for a group that was received before", () => {
    const text =
      "nothing is received on 239.255.70.67:7067 any more: the switch seems to prune the group, turn on an IGMP querier";
    expect(unicastReasonText("fell-silent", receptionOf({ others: "received before" }))).toBe(text);
    expect(unicastReasonText("unheard", receptionOf({ others: "received before" }))).toBe(text);
  });

  test("names both causes if no other device was ever received", () => {
    expect(unicastReasonText("unheard", receptionOf())).toBe(
      "nothing is received on 239.255.70.67:7067: the switch seems to drop multicast, or to prune the group because there is no IGMP querier",
    );
  });

  test("names the port or firewall of the representative if other devices are received", () => {
    expect(unicastReasonText("unheard", receptionOf({ others: "received" }))).toContain(
      "the representative is not",
    );
  });

  test("names IGMP snooping if only the representative is no longer received", () => {
    expect(unicastReasonText("fell-silent", receptionOf({ others: "received" }))).toContain(
      "turn on an IGMP querier",
    );
  });

  test("names the cause of each other reason", () => {
    expect(unicastReasonText("", receptionOf())).toBe("");
    expect(unicastReasonText("switched-off", receptionOf())).toBe("the setting is useMulticast=false");
    expect(unicastReasonText("switched-off", receptionOf({ group: null }))).toBe(
      "this device could not join the group",
    );
    expect(unicastReasonText("no-data", receptionOf())).toContain("multicast data is not");
    expect(unicastReasonText("not-heard", receptionOf())).toContain("does not receive this device");
    expect(unicastReasonText("wireless", receptionOf())).toContain("wireless");
  });
});
