/** Counters of the LAN in the status of an agent. */
import type { LanSessions } from "../../device/lan-sessions.ts";
import type { ExchangeServer } from "../../net/exchange/server.ts";

export const lanStatusOf = (lan: LanSessions) => ({
  framesHeard: lan.counters.framesReceived,
  framesSent: lan.counters.framesSent,
  receiveCalls: lan.counters.receiveCalls,
  messagesReceived: lan.counters.messagesReceived,
  kernelDrops: lan.kernelDrops,
  dropped: Object.fromEntries(lan.dropped),
});

export const exchangeStatusOf = (exchange: ExchangeServer) => ({
  port: exchange.lanPort,
  portProblem: exchange.portProblem,
  chunksSent: exchange.counters.chunksSent,
  bytesSent: exchange.counters.bytesSent,
});
