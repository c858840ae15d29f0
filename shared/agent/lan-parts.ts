/** Parts of an agent on the LAN: sessions of tasks, group, exchange, probes and Wake-on-LAN. */
import { randomBytes } from "node:crypto";
import { LanSessions } from "../device/lan-sessions.ts";
import type { SettingValues } from "../model/setting.ts";
import { mayBeNeighbour } from "../model/neighbour.ts";
import { LanProbes } from "../net/exchange/probes.ts";
import { ExchangeServer } from "../net/exchange/server.ts";
import { sendMagicPackets } from "../net/lan/wake-packets.ts";
import { nodeCrypto } from "../net/seal/aead.ts";
import { systemClock } from "../platform/system-clock.ts";
import type { AgentOptions } from "./agent-options.ts";
import { LanGroup } from "./lan-group.ts";
import type { Roaming } from "./roaming.ts";
import { WakeSender } from "./wake-sender.ts";

export type LanParts = {
  readonly lan: LanSessions;
  readonly lanGroup: LanGroup;
  readonly exchange: ExchangeServer;
  readonly probes: LanProbes;
  readonly wakes: WakeSender;
};

export const loopbackAddress = "127.0.0.1";

type Around = {
  readonly options: AgentOptions;
  /** Interface in use. */
  readonly current: () => Roaming["current"];
  /** Called with the number of a probe that another device of this LAN answered. */
  readonly onNeighbour: (probe: string) => void;
  /** Value of `wakeOnLan` in the setting of the device. */
  readonly wakeMode: () => SettingValues["wakeOnLan"];
  readonly onError: (error: unknown) => void;
};

/** Creates the parts; they begin on loopback, until the agent has an interface. */
export function lanParts({ options, current, onNeighbour, wakeMode, onError }: Around): LanParts {
  const { log, identity, receiveBufferBytes, lanPort } = options;
  const lan = new LanSessions({
    deployment: identity.deployment,
    crypto: nodeCrypto,
    clock: systemClock,
    newSender: () => randomBytes(8).toString("hex"),
  });
  const lanGroup = new LanGroup({
    lan,
    receiveBufferBytes,
    onAdvice: (advice) => log.warn(advice),
    onError,
  });
  const isNeighbour = (address: string): boolean => mayBeNeighbour(current(), address);
  const probes = new LanProbes({
    device: identity.deviceId,
    isNear: isNeighbour,
    onConfirmed: onNeighbour,
    onError,
  });
  const exchange = new ExchangeServer({
    interfaceAddress: loopbackAddress,
    device: identity.deviceId,
    lanPort,
    isNeighbour,
    probes,
    onError,
  });
  const wakes = new WakeSender({
    log,
    mode: wakeMode,
    activeInterface: current,
    send: sendMagicPackets,
    ...systemClock,
    sleep: Bun.sleep,
  });
  return { lan, lanGroup, exchange, probes, wakes };
}
