/** Parts of an agent on the LAN: sessions of tasks, the group, the exchange, probes. */
import { randomBytes } from "node:crypto";
import { LanSessions } from "../device/lan-sessions.ts";
import { mayBeNeighbour } from "../model/neighbour.ts";
import { LanProbes } from "../net/exchange/probes.ts";
import { ExchangeServer } from "../net/exchange/server.ts";
import { nodeCrypto } from "../net/seal/aead.ts";
import { systemClock } from "../platform/system-clock.ts";
import type { AgentOptions } from "./agent-options.ts";
import { LanGroup } from "./lan-group.ts";
import type { Roaming } from "./roaming.ts";

export type LanParts = {
  readonly lan: LanSessions;
  readonly lanGroup: LanGroup;
  readonly exchange: ExchangeServer;
  readonly probes: LanProbes;
};

export const loopbackAddress = "127.0.0.1";

type Around = {
  readonly options: AgentOptions;
  /** Interface in use. */
  readonly current: () => Roaming["current"];
  /** Called with the number of a probe that another device of this LAN answered. */
  readonly onNeighbour: (probe: string) => void;
  readonly onError: (error: unknown) => void;
};

/** Creates the parts; they begin on loopback, until the agent has an interface. */
export function lanParts({ options, current, onNeighbour, onError }: Around): LanParts {
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
  return { lan, lanGroup, exchange, probes };
}
