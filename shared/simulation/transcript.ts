/**
 * Adds one device's part in a session to the history: frames, answers of the source, downloads,
 * leader and delivery mode. Repetitions (ANNOUNCE, SEEK, a renewed lease) get no second line.
 * Only stories use it: sweeps need no lines.
 */
import type { LeaseResponse } from "../api/schema/agent.ts";
import type { ChunkOrigin } from "../cache/index.ts";
import type { Member } from "../core/member.ts";
import { unicastReasonOf } from "../core/delivery/delivery-mode.ts";
import type { Role } from "../core/roles.ts";
import { ChunkSet, type Ranges } from "../model/chunk-set.ts";
import type { ControlFrame, FrameOf } from "../wire/frames.ts";
import { limits, phases } from "../wire/index.ts";

const phaseNames = Object.keys(phases);
/** Number of ranges above which a line has their count instead. */
const rangesNamedMax = 5;

export class Transcript {
  readonly #note: (event: string, detail: string) => void;
  readonly #lastSent = new Map<string, string>();
  #downloaded: ChunkSet;
  #isDownloading = false;
  #role: Role = "idle";
  #leader = "";
  #mode = "multicast";

  /** @param chunkCount number of chunks of the package */
  constructor(chunkCount: number, note: (event: string, detail: string) => void) {
    this.#note = note;
    this.#downloaded = new ChunkSet(chunkCount);
  }

  /** Adds the line unless the last one of this event had the same key. */
  #once(event: string, detail: string, key = detail): void {
    if (this.#lastSent.get(event) === key) return;
    this.#lastSent.set(event, key);
    this.#note(event, detail);
  }

  sent(frame: ControlFrame): void {
    const event = frame.type.toUpperCase();
    if (frame.type === "announce")
      return this.#once(event, announceText(frame), `${frame.term} ${frame.phase}`);
    if (frame.type === "seek") return this.#once(event, `holds ${frame.haveCount}, knows term ${frame.term}`);
    if (frame.type === "report" && frame.lossPermille === 0) return;
    this.#note(event, frameText(frame));
  }

  leaseAnswered(answer: LeaseResponse): void {
    this.#once("lease", leaseText(answer));
  }

  leaseReleased(): void {
    this.#once("lease", "released");
  }

  /** @param origin null: ambiguous, of several origins */
  verified(chunk: number, origin: ChunkOrigin | null): void {
    if (origin === "wan") this.#downloaded.add(chunk);
  }

  stalled(stalledMs: number): void {
    const seconds = (stalledMs / 1_000).toFixed(1);
    this.#note("stalled", `own timer ${seconds} s late: extends the time-outs of others by that`);
  }

  /** Notes changes of download, leader and delivery mode after an event. */
  observe({ state, isDownloading }: Member): void {
    if (isDownloading !== this.#isDownloading) this.#observeDownload(isDownloading);
    if (state.role !== this.#role) {
      this.#role = state.role;
      if (state.role === "candidate" || state.role === "peer") this.#lastSent.clear();
      this.#leader = state.role === "peer" ? state.leader.device : "";
      this.#mode = "multicast";
    }
    if (state.role !== "peer") return;
    const { device, term } = state.leader;
    if (device !== this.#leader) this.#note("follows", `${device}, term ${term}`);
    const mode = state.delivery.mode.kind === "unicast" ? "unicast" : "multicast";
    if (mode !== this.#mode)
      this.#note("delivery", `by ${mode}${reasonText(unicastReasonOf(state.delivery))}`);
    this.#leader = device;
    this.#mode = mode;
  }

  #observeDownload(isDownloading: boolean): void {
    this.#isDownloading = isDownloading;
    if (!isDownloading)
      return this.#note("WAN ends", `downloaded ${rangesText(this.#downloaded.toRanges())}`);
    this.#downloaded = new ChunkSet(this.#downloaded.size);
    this.#note("WAN begins", "");
  }
}

const reasonText = (reason: string): string => (reason === "" ? "" : `: ${reason}`);

function announceText({ phase, startsInMs, frontCount, castCount, audience }: FrameOf<"announce">): string {
  const soon = startsInMs > 0 ? `, multicasts in ${(startsInMs / 1_000).toFixed(1)} s` : "";
  return `${phaseNames[phase]}${soon}; prefix ${frontCount}, sent ${castCount}, audience ${audience}`;
}

function frameText(frame: Exclude<ControlFrame, { type: "announce" | "seek" }>): string {
  switch (frame.type) {
    case "claim":
      return `term ${frame.term}, ticket ${frame.ticket.toString(16).padStart(8, "0")}`;
    case "end":
      return `pass ${frame.pass}: ${frame.castRanges.length > 0 ? `sent ${rangesText(frame.castRanges)}` : "flush, everything was sent"}`;
    case "need":
      return `pass ${frame.pass}: missing ${needText(frame.entries)}`;
    case "want":
      return `who holds ${rangesText(frame.ranges)}?`;
    case "have":
      return `to ${frame.toDevice}: holds ${rangesText(frame.ranges)}`;
    case "entrust":
      return `to ${frame.toDevice}: fetch ${rangesText(frame.ranges)}`;
    case "ask":
      return `${frame.toDevice}: still there?`;
    case "report":
      return `lost ${(frame.lossPermille / 10).toFixed(1)} % of the symbols${frame.queuedMs > 0 ? `, queued for ${frame.queuedMs} ms` : ""}`;
    case "resign":
      return frame.reason;
  }
}

function leaseText(answer: LeaseResponse): string {
  switch (answer.result) {
    case "granted":
      return `granted, term ${answer.term}`;
    case "refused":
      return `refused: ${answer.holder.deviceId} holds it, term ${answer.holder.term}`;
    case "failed":
      return `failed: ${answer.reason}`;
    case "free":
      return "free: no device holds it";
    case "term-too-high":
      return `the term is too high: at most ${answer.termMax}`;
  }
}

/** "chunks 0-6, 9" */
function rangesText(flat: Ranges): string {
  const spans: string[] = [];
  let count = 0;
  for (let at = 0; at < flat.length; at += 2) {
    const [first, many] = [flat[at]!, flat[at + 1]!];
    count += many;
    spans.push(many === 1 ? `${first}` : `${first}-${first + many - 1}`);
  }
  if (count === 0) return "nothing";
  if (spans.length > rangesNamedMax) return `${count} chunks in ${spans.length} ranges`;
  return `chunk${count === 1 ? "" : "s"} ${spans.join(", ")}`;
}

/** @param entries flat triples: chunk, block, and the number of symbols or of whole chunks */
function needText(entries: readonly number[]): string {
  const whole: number[] = [];
  const partly = new Set<number>();
  let symbols = 0;
  for (let at = 0; at < entries.length; at += 3) {
    const [chunk, block, count] = [entries[at]!, entries[at + 1]!, entries[at + 2]!];
    if (block === limits.chunkBlocksMax) whole.push(chunk, count);
    else {
      partly.add(chunk);
      symbols += count;
    }
  }
  const parts: string[] = [];
  if (whole.length > 0) parts.push(rangesText(whole));
  if (symbols > 0) parts.push(`${counted(symbols, "symbol")} of ${counted(partly.size, "chunk")}`);
  return parts.join(" and ");
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;
