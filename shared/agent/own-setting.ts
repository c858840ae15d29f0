/**
 * The device's own setting, which counts for everything outside tasks: as the source last sent it,
 * also after a restart of the agent while the source is silent. Its limits apply to the cache.
 */
import * as v from "valibot";
import { agentSettingSchema, type AgentSetting } from "../api/schema/agent.ts";
import type { DistributionCache } from "../cache/index.ts";
import type { Logger } from "../log.ts";
import { defaultSettingValues, type SettingValues } from "../model/setting.ts";
import type { AgentStatus } from "./status/status-server.ts";

/** Returns a setting without its values, for the status. */
export const versionOf = ({ name, version, parents }: AgentSetting): AgentStatus["setting"] => ({
  name,
  version,
  parents,
});

/** Returns the setting that a ledger keeps; null: none, or one that this version cannot read. */
export function storedSetting(ledger: { ownSetting(): unknown }): AgentSetting | null {
  const parsed = v.safeParse(agentSettingSchema, ledger.ownSetting());
  return parsed.success ? parsed.output : null;
}

export class OwnSetting {
  readonly #cache: DistributionCache;
  readonly #log: Logger;
  #setting: AgentSetting | null;

  constructor(cache: DistributionCache, log: Logger) {
    this.#cache = cache;
    this.#log = log;
    this.#setting = storedSetting(cache.ledger);
    if (this.#setting !== null) this.#limitCache(this.#setting.values);
  }

  /** The built-in values until the source sent a setting. */
  get values(): SettingValues {
    return this.#setting?.values ?? defaultSettingValues;
  }

  /** Null until the source sent a setting. */
  get version(): AgentStatus["setting"] {
    return this.#setting && versionOf(this.#setting);
  }

  /** Takes the setting of a check-in's answer. @returns whether it is another one */
  replace(setting: AgentSetting): boolean {
    const isSame = JSON.stringify(setting) === JSON.stringify(this.#setting);
    this.#setting = setting;
    this.#limitCache(setting.values);
    if (isSame) return false;
    this.#log.info({ setting: setting.name, version: setting.version }, "own setting changed");
    try {
      this.#cache.ledger.saveOwnSetting(setting);
    } catch (error) {
      // On a full disk the setting counts all the same, until a restart without the source.
      this.#log.error({ error: String(error) }, "the device's setting was not saved");
    }
    return true;
  }

  #limitCache({
    cacheMaxBytes: maxBytes,
    cacheMaxAgeMs: maxAgeMs,
    cacheKeepFree: keepFree,
  }: SettingValues): void {
    this.#cache.setLimits({ maxBytes, maxAgeMs, keepFree });
  }
}
