/**
 * Tells in the history what one device says, where an eye shall follow a session: frames, answers of the source, the
 * WAN, whom it follows and how. What is only said again (ANNOUNCE, SEEK, a renewed lease) gets no second line.
 */
import { ChunkSet, type Ranges } from "../model/chunk-set.ts";
import type { Member } from "../core/member.ts";
import type { LeaseAnswer } from "../core/events.ts";
import type { Role } from "../core/roles.ts";
import type { ControlFrame, FrameOf } from "../wire/frames.ts";
import { limits, phases } from "../wire/index.ts";
import type { ChunkOrigin } from "./store.ts";

const phaseNames = Object.keys(phases);
/** More of them are only counted. */
const rangesNamedMax = 5;

export class Talk {
  readonly #note: (event: string, detail: string) => void;
  readonly #lastSaid = new Map<string, string>();
  #downloaded: ChunkSet;
  #role: Role = "idle";
  #leader = "";
  #way = "multicast";

  /** @param chunkCount of the package */
  constructor(chunkCount: number, note: (event: string, detail: string) => void) {
    this.#note = note;
    this.#downloaded = new ChunkSet(chunkCount);
  }

  #once(event: string, detail: string, key = detail): void {
    if (this.#lastSaid.get(event) === key) return;
    this.#lastSaid.set(event, key);
    this.#note(event, detail);
  }

  said(frame: ControlFrame): void {
    const event = frame.type.toUpperCase();
    if (frame.type === "announce") return this.#once(event, announced(frame), `${frame.term} ${frame.phase}`);
    if (frame.type === "seek") return this.#once(event, `holds ${frame.haveCount}, knows term ${frame.term}`);
    if (frame.type === "report" && frame.lossPermille === 0) return;
    this.#note(event, meaningOf(frame));
  }

  leaseAnswered(answer: LeaseAnswer): void {
    this.#once("lease", leaseText(answer));
  }

  leaseReleased(): void {
    this.#once("lease", "given back");
  }

  stored(chunk: number, origin: ChunkOrigin): void {
    if (origin === "wan") this.#downloaded.add(chunk);
  }

  wanBegan(): void {
    this.#downloaded = new ChunkSet(this.#downloaded.size);
    this.#note("WAN begins", "");
  }

  wanEnded(): void {
    this.#note("WAN ends", `downloaded ${rangesText(this.#downloaded.toRanges())}`);
  }

  stalled(stalledMs: number): void {
    const seconds = (stalledMs / 1_000).toFixed(1);
    this.#note("doubts", `its own timer was ${seconds} s late: whoever seemed silent may have spoken`);
  }

  /** A step is done; its effects are told after this. Tells whatever changed without a change of the role: whom a peer follows, and how it takes chunks. */
  stepped({ state }: Member): void {
    if (state.role !== this.#role) {
      this.#role = state.role;
      if (state.role === "candidate" || state.role === "peer") this.#lastSaid.clear();
      this.#leader = state.role === "peer" ? state.leader.device : "";
      this.#way = "multicast";
    }
    if (state.role !== "peer") return;
    const { device, term } = state.leader;
    if (device !== this.#leader) this.#note("follows", `${device}, term ${term}`);
    if (state.way !== this.#way) this.#note("way", `by ${state.way}${because(state.wayReason)}`);
    this.#leader = device;
    this.#way = state.way;
  }
}

const because = (reason: string): string => (reason === "" ? "" : `: ${reason}`);

function announced({ phase, startsInMs, frontCount, castCount, audience }: FrameOf<"announce">): string {
  const soon = startsInMs > 0 ? `, multicasts in ${(startsInMs / 1_000).toFixed(1)} s` : "";
  return `${phaseNames[phase]}${soon}; front ${frontCount}, cast ${castCount}, hears ${audience} peers`;
}

function meaningOf(frame: Exclude<ControlFrame, { type: "announce" | "seek" }>): string {
  switch (frame.type) {
    case "claim":
      return `term ${frame.term}, ticket ${frame.ticket.toString(16).padStart(8, "0")}`;
    case "end":
      return `pass ${frame.pass}: ${frame.castRanges.length > 0 ? `sent ${rangesText(frame.castRanges)}` : "everything was sent"}`;
    case "need":
      return `pass ${frame.pass}: lacks ${needText(frame.entries)}`;
    case "want":
      return `who holds ${rangesText(frame.ranges)}?`;
    case "have":
      return `to ${frame.toDevice}: ${rangesText(frame.ranges)}`;
    case "entrust":
      return `to ${frame.toDevice}: take ${rangesText(frame.ranges)}`;
    case "report":
      return `lost ${(frame.lossPermille / 10).toFixed(1)} % of the symbols${frame.queuedMs > 0 ? `, held back by ${frame.queuedMs} ms` : ""}`;
    case "resign":
      return frame.reason;
  }
}

function leaseText(answer: LeaseAnswer): string {
  switch (answer.result) {
    case "granted":
      return `granted, term ${answer.term}`;
    case "refused":
      return `refused: ${answer.holder.deviceId} holds it, term ${answer.holder.term}`;
    case "failed":
      return `failed: ${answer.reason}`;
    case "free":
      return "nobody holds it";
    case "unreachable":
      return "the source cannot be asked";
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

/** Flat triples: chunk, block, count of symbols or of whole chunks. */
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
  if (symbols > 0) parts.push(`${symbols} symbols of ${partly.size} chunk${partly.size === 1 ? "" : "s"}`);
  return parts.join(" and ");
}
