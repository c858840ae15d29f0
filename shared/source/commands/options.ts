/** Options that most of the administrator's commands have. */
import { Option, type Command } from "@commander-js/extra-typings";
import { plainHttpFlag } from "../../api/plain-http.ts";

export const sourceOption = () =>
  new Option("--source <url>", "the source's URL (default: FLOCKCAST_SOURCE)");
export const tokenOption = () =>
  new Option(
    "--token-file <file>",
    "file with your token, such as the source's admin.token (default: its text in FLOCKCAST_TOKEN)",
  );
const several = (file: string, files: readonly string[] = []): readonly string[] => [...files, file];
export const operatorKeyOption = () =>
  new Option(
    "--operator-key <file>",
    "key that signs the order if the source has none (default: FLOCKCAST_OPERATOR_KEY); may be repeated",
  ).argParser(several);
export const rootKeyOption = () =>
  new Option("--root-key <file>", "root key that signs; may be repeated").argParser(several);

/** Adds `--allow-plain-http` to every command that has a token. */
export function allowPlainHttp(command: Command): void {
  if (command.options.some(({ long }) => long === "--token-file"))
    command.option(plainHttpFlag, "send the token also to an http:// source on another machine: for labs");
  for (const each of command.commands) allowPlainHttp(each as Command);
}

export const jsonOption = () => new Option("--json", "as JSON");
/** For lists. */
export const csvOption = () =>
  new Option("--csv", "as CSV, with the fields of --json in their units").conflicts("json");
