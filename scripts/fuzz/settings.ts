/**
 * Fuzz target of text from people and other systems: settings, quantities, schedules, tokens,
 * times, targets, groups, addresses.
 */
import * as v from "valibot";
import { parseStartTime } from "../../shared/source/commands/start-time.ts";
import {
  formatDuration,
  formatRate,
  parseBoolean,
  parseDurationMs,
  parseInteger,
  parseIntegerList,
  parseRateBps,
  parseSizeBytes,
} from "../../shared/model/quantity.ts";
import { parseSourceUrl } from "../../shared/api/request.ts";
import { targetSchema } from "../../shared/api/schema/labels.ts";
import { matcherOf, parseTarget, printTarget, type TargetView } from "../../shared/model/target/index.ts";
import { defaultSettingValues, settingKeys } from "../../shared/model/setting.ts";
import { applySettingWords, settingLines } from "../../shared/model/setting-words.ts";
import { parseEnrollToken, readToken } from "../../shared/api/token.ts";
import { formatRunSchedule, parseRunSchedule } from "../../shared/model/run-schedule.ts";
import { formatWanSchedule, parseWanSchedule } from "../../shared/model/wan-schedule.ts";
import { LanBusError } from "../../shared/net/lan/lan-bus.ts";
import { formatGroup, parseGroup } from "../../shared/net/lan/multicast-group.ts";
import { cidrContains } from "../../shared/model/cidr.ts";
import { canonicalAddress, networkOf } from "../../shared/model/subnet.ts";
import { parseRetryAfterMs } from "../../shared/net/web/retry-after.ts";
import { fittedReason } from "../../shared/wire/encode.ts";
import { limits } from "../../shared/wire/index.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { hostileValue } from "./mutate.ts";
import { declared, promise, type Target } from "./target.ts";

const words = [
  "500ms",
  "60s",
  "24h",
  "7d",
  "20mbit",
  "1.5gbit",
  "64kbit/s",
  "10GiB",
  "500MB",
  "none",
  "pause",
  "true",
  "0",
  "1,2,3",

  "mon-fri 08:00-18:00 2mbit",
  "sat,sun pause",
  "22:00-06:00 none",
  "mon-fri 20:00-06:00; sat,sun",
  "all",
  "device:0123456789abcdef",
  "group:a.b",
  "pc-1,pc-2",
  "os=windows and (tag=b7 or not site=Kiel)",
  'name not in (a*, "b c")',
  "lacks=editor@>=4.2",
  "memory>=8GiB or failed-in=17",

  "subnet:10.0.0.0/8",
  "+10m",
  "2026-01-01T00:00:00Z",
  "2026-01-01T22:00 local",
  "239.1.2.3:7000",
  "https://source.example:7443/x",
  "10.0.0.1/24",
  "fc_pAAAA.-",
  "fe80::1/64",
  "::ffff:10.0.0.1",
  "Wed, 21 Oct 2026 07:28:00 GMT",
  "120",
] as const;
const symbols = " \t;:,-./+=0123456789abcdefhimnorstuwz\u0000\u00e9\ud83d\u0661e%[]";

/** Upper bound on the length of a text, as at the callers of these parsers. */
const textMax = 16_384;

function anyText(random: SeededRandom): string {
  let text: string = random.oneIn(10) ? String(hostileValue(random)) : random.pick(words);
  for (let changes = random.int(4); changes > 0; changes--) {
    const at = random.int(text.length + 1);
    const put = random.oneIn(3) ? random.pick(words) : symbols[random.int(symbols.length)]!;
    text = text.slice(0, at) + (random.oneIn(3) ? "" : put) + text.slice(at + random.int(3));
  }
  return (random.oneIn(200) ? text.repeat(1 + random.int(500)) : text).slice(0, textMax);
}

function setting(text: string, random: SeededRandom): string {
  const key = random.oneIn(20) ? text : random.pick(Object.keys(settingKeys));
  const values = applySettingWords(defaultSettingValues, [`${key}=${text}`]);
  promise(
    settingLines(values).length === Object.keys(settingKeys).length,
    "an accepted setting can be printed",
  );
  return `setting ${key}`;
}

function runSchedule(text: string): string {
  const parsed = parseRunSchedule(text);
  promise(
    JSON.stringify(parseRunSchedule(formatRunSchedule(parsed))) === JSON.stringify(parsed),
    "a printed run schedule parses to the same one",
  );
  return "run schedule";
}

function target(text: string): string {
  if (!v.safeParse(targetSchema, text).success) return "no target";
  const parsed = parseTarget(text);
  matcherOf(parsed)(targetView);
  promise(
    JSON.stringify(parseTarget(printTarget(parsed))) === JSON.stringify(parsed),
    "a printed target parses to the same one",
  );
  return "target";
}

const targetView: TargetView = {
  id: "0123456789abcdef",
  names: ["pc-17"],
  tags: ["b7"],
  subnet: { id: "0123456789abcdef", cidr: "10.0.0.0/24", name: null },
  site: null,
  os: "Linux 6.1",
  arch: "x64",
  agentVersion: "0.1.0",
  resultIn: () => null,
  versionsOf: () => [],
};

function schedule(text: string): string {
  const parsed = parseWanSchedule(text);
  const again = parseWanSchedule(formatWanSchedule(parsed));
  // Rates are formatted with four digits and may differ.
  promise(
    again.length === parsed.length &&
      again.every(({ fromMinute }, i) => fromMinute === parsed[i]!.fromMinute),
    "a printed schedule parses to the same schedule",
  );
  return "schedule";
}

function quantity(text: string, random: SeededRandom): string {
  const value = random.pick([parseDurationMs, parseSizeBytes, parseRateBps, parseInteger])(text);
  promise(Number.isInteger(value), "a quantity is a whole number");
  formatDuration(value);
  formatRate(value);
  return "quantity";
}

function group(text: string): string {
  const parsed = parseGroup(text);
  promise(
    formatGroup(parseGroup(formatGroup(parsed))) === formatGroup(parsed),
    "a printed group parses to the same group",
  );
  return "group";
}

function addresses(text: string): string {
  const network = networkOf(text);
  promise(network === null || networkOf(network) === network, "the network of a network is that network");
  cidrContains(text, "10.0.0.0/24");
  cidrContains("10.0.0.0/24", text);
  canonicalAddress(text);
  return network === null ? "no network" : "network";
}

function reason(text: string): string {
  promise(Buffer.byteLength(fittedReason(text)) <= limits.reasonMaxBytes, "a reason fits its field");
  const waitMs = parseRetryAfterMs(text, null, 0);
  promise(
    waitMs === null || (waitMs >= 0 && waitMs <= 3_600_000),
    "a web site cannot request a wait of more than an hour",
  );
  return "reason";
}

function other(text: string, random: SeededRandom): string {
  switch (random.int(6)) {
    case 0:
      readToken(text);
      parseEnrollToken(text);
      return "token";
    case 1:
      parseSourceUrl(text);
      return "source URL";
    case 2:
      promise(
        Number.isFinite(parseStartTime(text, 1e12, () => 3_600_000).startAtMs),
        "an accepted start time is a finite number",
      );
      return "start";
    case 3:
      return target(text);
    case 4:
      parseIntegerList(text);
      return "list";
    default:
      parseBoolean(text);
      return "boolean";
  }
}

function run(random: SeededRandom): string {
  const text = anyText(random);
  return declared([Error, LanBusError], () => {
    switch (random.int(7)) {
      case 0:
        return random.oneIn(2) ? schedule(text) : runSchedule(text);
      case 1:
        return quantity(text, random);
      case 2:
        return group(text);
      case 3:
        return addresses(text);
      case 4:
        return reason(text);
      case 5:
        return setting(text, random);
      default:
        return other(text, random);
    }
  });
}

export const settings: Target = {
  name: "settings",
  about: "settings, quantities, schedules, tokens, times, targets, groups and addresses as text",
  share: 400,
  open: () => ({ run }),
};
