/** Commands that change settings: `setting create`, `set`, `revert`, `rename` and `remove`. */
import * as v from "valibot";
import { SourceError } from "../../api/agent-client.ts";
import { newSettingNameSchema, type SettingChanged } from "../../api/schema/settings.ts";
import { rootSetting } from "../../model/setting-inheritance.ts";
import { parseSettingWords } from "../../model/setting-words.ts";
import { CommandError, usage } from "./command-error.ts";
import { connect, type JsonOptions } from "./connect.ts";
import { print, printJson } from "./print.ts";
import { changedLines } from "./setting-text.ts";
import { parseVersion } from "./settings.ts";
import type { Wanted } from "./order-review.ts";
import { connectToSign, signIfNeeded, warnUnsigned, type SignOptions } from "./signing.ts";

type SetOptions = JsonOptions &
  SignOptions & {
    readonly parent?: string | undefined;
    readonly create?: true | undefined;
  };

/** @throws CommandError with exit status 2 */
function checkName(name: string): void {
  const parsed = v.safeParse(newSettingNameSchema, name);
  if (parsed.success) return;
  throw new CommandError(`"${name}" is not a valid name for a setting: ${parsed.issues[0].message}`, 2);
}

const printCreated = ({ name, version, parent }: SettingChanged): void =>
  print(`${name}, version ${version}, inherits from ${parent ?? rootSetting}`);

export async function createSetting(
  name: string,
  words: readonly string[],
  options: SetOptions,
): Promise<void> {
  checkName(name);
  // Checked first, so that a typing error is reported without a source.
  const { set: differences } = usage(() => parseSettingWords(words));
  const client = await connectToSign(options);
  const created = await client.createSetting({ name, parent: options.parent ?? rootSetting, differences });
  if (options.json) printJson(created);
  else printCreated(created);
  const parent = options.parent ?? rootSetting;
  if (!created.isSigned)
    await signIfNeeded(client, subjectOf(name), options, {
      kind: "new",
      wanted: { parent, differences },
    });
}

export async function setSetting(name: string, words: readonly string[], options: SetOptions): Promise<void> {
  checkName(name);
  if (words.length === 0 && options.parent === undefined)
    throw new CommandError("Nothing to change: give key=value, key=inherit or --parent", 2);
  const { set, inherit } = usage(() => parseSettingWords(words));
  const client = await connectToSign(options);
  const parent = options.parent === undefined ? {} : { parent: options.parent };
  try {
    const changed = await client.editSetting(name, { set, inherit: [...inherit], ...parent });
    tell(changed, options);
    if (changed.isSigned) return;
    const isChanged = (field: string): boolean =>
      Object.hasOwn(set, field) || inherit.includes(field as never);
    const wantedOf = (before: Wanted): Wanted => {
      const kept = Object.entries(before.differences ?? {}).filter(([field]) => !isChanged(field));
      return { ...parent, differences: { ...Object.fromEntries(kept), ...set } };
    };
    await signIfNeeded(client, subjectOf(name), options, { kind: "changed", wantedOf });
  } catch (error) {
    if (!isUnknown(error, name)) throw error;
    if (options.create) return createSetting(name, words, options);
    throw new CommandError(`${error.message}; --create makes it`, 1, { cause: error });
  }
}

/** Whether the source has no setting of this name; another name may be that of the parent. */
const isUnknown = (error: unknown, name: string): error is SourceError =>
  error instanceof SourceError &&
  error.status === 404 &&
  error.message.startsWith(`No setting named "${name}"`);

const subjectOf = (name: string) => ({ kind: "setting", subject: name }) as const;

function tell(changed: SettingChanged, options: JsonOptions): void {
  if (options.json) return printJson(changed);
  const [head, ...lines] = changedLines(changed);
  if (lines.length === 0) return print(`${head}; no value changed`);
  for (const line of [head!, ...lines]) print(line);
}

/** Stores an earlier version of a setting again, as its next version. */
export async function revertSetting(
  name: string,
  options: JsonOptions & { readonly version: string },
): Promise<void> {
  const version = parseVersion(options.version);
  const client = await connect(options);
  const changed = await client.revertSetting(name, version);
  tell(changed, options);
  // The earlier version is the source's word: a person reads it before it is signed.
  if (!changed.isSigned) warnUnsigned(subjectOf(name));
}

export async function renameSetting(name: string, to: string, options: JsonOptions): Promise<void> {
  checkName(to);
  const client = await connect(options);
  const renamed = await client.renameSetting(name, to);
  if (options.json) printJson(renamed);
  else print(`${name} is ${changedLines(renamed)[0]}`);
  // Children, assignments and tasks name the setting too.
  if (!renamed.isSigned) warnUnsigned(subjectOf(to));
}

export async function removeSetting(name: string, options: JsonOptions): Promise<void> {
  await (await connect(options)).removeSetting(name);
  if (options.json) return printJson({ name });
  print(`removed ${name}`);
}
