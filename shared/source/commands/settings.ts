/** Commands `setting list`, `setting show` and `setting set`. */
import { applySettingWords, settingLines } from "../../model/setting-words.ts";
import { defaultSettingValues } from "../../model/setting.ts";
import { SourceError } from "../../api/agent-client.ts";
import type { AdminClient } from "../../api/admin-client.ts";
import type { Setting } from "../../api/schema/common.ts";
import { CommandError, usage } from "./command-error.ts";
import { connect, type ConnectOptions } from "./connect.ts";
import { print, printJson, printTable } from "./print.ts";

type JsonOption = { readonly json?: boolean | undefined };

/** Returns `key=value` with the quotes that a shell needs. */
const wordOf = ({ key, value }: { key: string; value: string }): string =>
  value.includes(" ") ? `${key}="${value}"` : `${key}=${value}`;

export async function listSettings(options: ConnectOptions & JsonOption): Promise<void> {
  const settings = await (await connect(options)).settings();
  if (options.json) return printJson(settings);
  const defaults = new Map(settingLines(defaultSettingValues).map(({ key, value }) => [key, value]));
  printTable(
    ["NAME", "VERSION", "DIFFERS FROM THE BUILT-IN VALUES"],
    settings.map((setting) => [
      setting.name,
      String(setting.version),
      settingLines(setting.values)
        .filter(({ key, value }) => defaults.get(key) !== value)
        .map(wordOf)
        .join(" ") || "-",
    ]),
  );
}

export async function showSetting(name: string, options: ConnectOptions & JsonOption): Promise<void> {
  const setting = await (await connect(options)).setting(name);
  if (options.json) return printJson(setting);
  printLines(setting);
}

function printLines({ name, version, values }: Setting): void {
  print(`# ${name}, version ${version}`);
  const lines = settingLines(values).map((line) => [wordOf(line), line.about]);
  printTable(["KEY=VALUE", "WHAT IT MEANS"], lines);
}

/** Returns the setting to change. A new one starts with the values of `default`. */
async function baseOf(client: AdminClient, name: string): Promise<Setting> {
  try {
    return await client.setting(name);
  } catch (error) {
    if (error instanceof SourceError && error.status === 404) return client.setting("default");
    throw error;
  }
}

export async function setSetting(
  name: string,
  words: readonly string[],
  options: ConnectOptions,
): Promise<void> {
  if (!/^[\w.-]{1,64}$/.test(name)) {
    throw new CommandError(
      `"${name}" is not a valid name for a setting: use up to 64 letters, digits, dots, dashes and underscores`,
      2,
    );
  }
  // Checked first, so that a typing error is reported without a source.
  usage(() => applySettingWords(defaultSettingValues, words));
  const client = await connect(options);
  const base = await baseOf(client, name);
  printLines(
    await client.putSetting(
      name,
      usage(() => applySettingWords(base.values, words)),
    ),
  );
}
