/**
 * What a session hands to a device that is elected, and what it gets back: the seam between the agent and the
 * representative's program (`roles/representative.ts`).
 */
import type { PackageStore } from "../cache/index.ts";
import type { SettingValues } from "../model/setting.ts";
import type { SendItem } from "../core/repair/items.ts";
import type { LanBus } from "../net/lan/lan-bus.ts";
import type { ChunkCipher, FrameSender } from "../wire/index.ts";
import type { AgentClient } from "../api/agent-client.ts";
import type { Logger } from "../log.ts";

export type RepresentativeContext = {
  readonly client: Pick<AgentClient, "contentUrl" | "authorization" | "ca">;
  readonly log: Logger;
  readonly nowMs: () => number;
  readonly random: () => number;
  /** Body bytes read from the web site. */
  readonly onWanBytes: (bytes: number) => void;
  readonly store: PackageStore;
  readonly setting: () => SettingValues;
  /** The next run of chunks to download; null: none now. */
  readonly nextDownloadRun: () => { first: number; count: number } | null;
  readonly isWanted: (chunk: number) => boolean;
  /** The next thing to multicast; null: none now. */
  readonly nextToSend: () => SendItem | null;
  readonly bus: () => LanBus | null;
  readonly sender: () => FrameSender;
  readonly chunkCipher: ChunkCipher;
  /** Payload bits per second at which this session may multicast now. */
  readonly rateBps: () => number;
  readonly onSymbolsSent: (symbols: number) => void;
  readonly term: () => number;
  readonly onStored: (chunk: number) => void;
  readonly onChange: () => void;
  /** The download ended by itself: nothing was left (null), or it failed. */
  readonly onDownloadEnded: (failure: string | null) => void;
  /** Sending begins. */
  readonly onSendBusy: () => void;
  /** Everything that `nextCast` named was sent. */
  readonly onSendIdle: () => void;
  readonly onError: (error: unknown) => void;
};

export type Representative = {
  download(): void;
  stopDownload(): void;
  /** There is something to multicast. */
  wakeSender(): void;
  /** No longer elected: nothing of it goes on. */
  stepDown(): void;
  /** Body bytes read from the web site, whether or not they verified. */
  readonly wanBytes: number;
  /** Payload bytes multicast. */
  readonly sentBytes: number;
  /** What a person should know about the download; empty when all is well. */
  readonly note: string;
};
export type RepresentativeFactory = (duty: RepresentativeContext) => Representative;
