/** The part of `status` about the LAN: interface, multicast, LAN exchange and Wake-on-LAN. */
import type { LanSessions } from "../../device/lan-sessions.ts";
import type { ExchangeServer } from "../../net/exchange/server.ts";
import type { LanGroup } from "../lan-group.ts";
import type { Roaming } from "../roaming.ts";
import type { WakeSender } from "../wake-sender.ts";
import type { AgentStatus } from "./status-server.ts";

type LanParts = {
  readonly lan: LanSessions;
  readonly lanGroup: LanGroup;
  readonly exchange: ExchangeServer;
  readonly wakes: WakeSender;
};
type LanStatus = Pick<
  AgentStatus,
  "interface" | "interfaceWhy" | "multicastProblem" | "receiveBufferBytes" | "lan" | "exchange" | "wakes"
>;

export function lanStatus(
  { lan, lanGroup, exchange, wakes }: LanParts,
  { current, why, multicastProblem }: Pick<Roaming, "current" | "why" | "multicastProblem">,
): LanStatus {
  return {
    interface: current && { name: current.name, address: current.address, medium: current.medium },
    interfaceWhy: why,
    multicastProblem,
    receiveBufferBytes: lanGroup.bus?.receiveBufferBytes ?? 0,
    lan: {
      framesHeard: lan.counters.framesReceived,
      framesSent: lan.counters.framesSent,
      receiveCalls: lan.counters.receiveCalls,
      messagesReceived: lan.counters.messagesReceived,
      kernelDrops: lan.kernelDrops,
      dropped: Object.fromEntries(lan.dropped),
    },
    exchange: {
      port: exchange.lanPort,
      portProblem: exchange.portProblem,
      chunksSent: exchange.counters.chunksSent,
      bytesSent: exchange.counters.bytesSent,
    },
    wakes: wakes.status,
  };
}
