/** `setting list`, `show` and `set`. */
import { defaultSettingValues, applySettingWords, settingLines } from "../../model/setting.ts";
import { SourceError } from "../../api/agent-client.ts";
import type { AdminClient } from "../../api/admin-client.ts";
import type { Setting } from "../../api/schema/common.ts";
import { CommandError, usage } from "./command-error.ts";
import { connect, type ConnectOptions } from "./connect.ts";
import { print, printJson, printTable } from "./print.ts";

type JsonOption = { readonly json?: boolean | undefined };

/** As a shell takes it. */
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

/** A setting that does not exist yet begins with the values of the default one. */
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
    throw new CommandError(`"${name}" is no name for a setting: use letters, digits, dots and dashes`, 2);
  }
  // Checked before the source is asked, so that a slip of the pen needs no source.
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
