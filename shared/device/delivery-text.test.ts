import { describe, expect, test } from "bun:test";
import { unicastReasonText } from "./delivery-text.ts";
import { type Hearing } from "./hearing.ts";

const hearing = (more: Partial<Hearing> = {}): Hearing => ({
  group: "239.255.70.67:7067",
  own: "heard",
  others: "never heard",
  ...more,
});

describe("why chunks come by unicast, as status says it", () => {
  test("a device that does not even hear itself is behind its own firewall", () => {
    expect(unicastReasonText("unheard", hearing({ own: "unheard" }))).toContain(
      "firewall seems to block inbound UDP",
    );
    expect(unicastReasonText("fell-silent", hearing({ own: "unheard", others: "heard before" }))).toContain(
      "inbound UDP",
    );
  });

  test("a group that was heard and is heard no more is one that the switch prunes", () => {
    const text =
      "nothing is heard on 239.255.70.67:7067 any more: the switch seems to prune the group, turn on an IGMP querier";
    expect(unicastReasonText("fell-silent", hearing({ others: "heard before" }))).toBe(text);
    expect(unicastReasonText("unheard", hearing({ others: "heard before" }))).toBe(text);
  });

  test("where nobody was ever heard, it may be either", () => {
    expect(unicastReasonText("unheard", hearing())).toBe(
      "nothing is heard on 239.255.70.67:7067: the switch seems to drop multicast, or to prune the group for want of an IGMP querier",
    );
  });

  test("where others are heard, it is the representative's port or firewall", () => {
    expect(unicastReasonText("unheard", hearing({ others: "heard" }))).toContain("the representative is not");
  });

  test("a representative that is heard no more while others are", () => {
    expect(unicastReasonText("fell-silent", hearing({ others: "heard" }))).toContain(
      "turn on an IGMP querier",
    );
  });

  test("each other reason names what it is", () => {
    expect(unicastReasonText("", hearing())).toBe("");
    expect(unicastReasonText("switched-off", hearing())).toBe("the setting says useMulticast=false");
    expect(unicastReasonText("switched-off", hearing({ group: null }))).toBe(
      "this device could not join the group",
    );
    expect(unicastReasonText("no-data", hearing())).toContain("multicast data is not");
    expect(unicastReasonText("not-heard", hearing())).toContain("does not hear this device");
    expect(unicastReasonText("wireless", hearing())).toContain("wireless");
  });
});
