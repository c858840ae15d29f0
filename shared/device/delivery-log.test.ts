import { describe, expect, test } from "bun:test";
import { reason, reasonText } from "../model/reason.ts";
import type { Delivery } from "../core/delivery/delivery-mode.ts";
import type { PeerState, RepresentativeState, RoleState } from "../core/state.ts";
import { phases } from "../wire/index.ts";
import { reasonForDelivery, DeliveryLog, type ObservedMember, type DeliveryNotes } from "./delivery-log.ts";

const from = (parts: Partial<Record<"wan" | "multicast" | "peers" | "cache", number>>) => ({
  wan: 0,
  multicast: 0,
  peers: 0,
  cache: 0,
  ...parts,
});

describe("the reason for bytes that did not come by multicast", () => {
  const none: DeliveryNotes = {
    hasLed: false,
    joinedAtShare: null,
    joinedAfterEnd: false,
    unicastReason: null,
    usedWanFallback: false,
    wasStandby: false,
  };
  const noLoss = { diskOverflow: 0, kernelDrops: 0 };
  test.each([
    [from({ multicast: 100 }), { joinedAtShare: 0.5 }, noLoss, ""],
    [
      from({ multicast: 50, peers: 50 }),
      { joinedAtShare: 0.5 },
      noLoss,
      "joined late, 50 % had been multicast",
    ],
    [from({ peers: 100 }), { joinedAtShare: 1, joinedAfterEnd: true }, noLoss, "joined after the multicast"],
    [from({ peers: 100 }), { joinedAtShare: 0.5, unicastReason: reason("wireless") }, noLoss, "wireless"],
    [from({ wan: 100 }), { hasLed: true }, noLoss, "representative"],
    [from({ peers: 100 }), { hasLed: true }, noLoss, "other devices held it already"],
    [from({ wan: 100 }), { usedWanFallback: true }, noLoss, "no device of its subnet could be reached"],
    [from({ multicast: 99, peers: 1 }), {}, noLoss, "missed parts of the multicast"],
    [
      from({ multicast: 75, peers: 25 }),
      { wasStandby: true },
      noLoss,
      "kept a second copy before the multicast began",
    ],
    [from({ multicast: 99, peers: 1 }), {}, { diskOverflow: 1, kernelDrops: 9 }, "its disk was too slow"],
    [
      from({ multicast: 99, peers: 1 }),
      {},
      { diskOverflow: 0, kernelDrops: 9 },
      "its receive buffer was full",
    ],
  ])("%p with %p and %p: %s", (origins, notes, losses, words) => {
    const why = reasonForDelivery(origins, { ...none, ...notes }, losses);
    if (words === "") expect(why).toBeNull();
    else expect(why && reasonText(why)).toContain(words);
  });
});

const announced = (castCount: number, phase: number) =>
  ({ announced: { castCount, phase } }) as PeerState["leader"];
const peer = (
  state: { leader: Partial<PeerState["leader"]> } & Partial<Omit<PeerState, "leader">>,
): RoleState => ({ role: "peer", delivery: { mode: { kind: "multicast" } }, ...state }) as PeerState;
const observed = (state: RoleState, count = 0, usesWan = false): ObservedMember => ({
  state,
  isDownloading: usesWan,
  config: { held: { count, size: 100 } },
});

describe("the delivery log", () => {
  test("notes a late joiner, with the share that was multicast before it joined", () => {
    const log = new DeliveryLog();
    log.observe(observed(peer({ leader: announced(39, phases.casting) })));
    log.observe(observed(peer({ leader: announced(80, phases.serving) })));
    expect(log.notes).toMatchObject({ joinedAtShare: 0.39, joinedAfterEnd: false });
  });

  test("notes no late joiner if the device was present from the beginning, also under a later representative", () => {
    const log = new DeliveryLog();
    log.observe(observed(peer({ leader: announced(0, phases.preparing) })));
    log.observe(observed({ role: "candidate" } as RoleState, 20));
    log.observe(observed(peer({ leader: announced(80, phases.serving) }), 20));
    expect(log.notes.joinedAtShare).toBeNull();
    const before = new DeliveryLog();
    before.observe(observed(peer({ leader: announced(39, phases.casting) }), 39));
    expect(before.notes.joinedAtShare).toBeNull();
  });

  test("keeps unicast, WAN fallback and leadership after they end", () => {
    const log = new DeliveryLog();
    const leader = announced(0, phases.casting);
    log.observe(
      observed(
        peer({
          leader,
          delivery: { mode: { kind: "unicast", reason: "no-data", retryAtMs: 0 } } as Delivery,
        }),
      ),
      reason("no-group"),
    );
    log.observe(observed(peer({ leader }), 0, true));
    log.observe(observed({ role: "representative" } as RepresentativeState));
    log.observe(observed({ role: "idle", why: "done", retryAtMs: null }));
    expect(log.notes).toMatchObject({
      unicastReason: reason("no-group"),
      usedWanFallback: true,
      hasLed: true,
    });
  });
});
