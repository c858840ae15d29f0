/** Options that most of the administrator's commands have. */
import { Option } from "@commander-js/extra-typings";

export const sourceOption = () =>
  new Option("--source <url>", "the source's URL (default: FLOCKCAST_SOURCE)");
export const tokenOption = () =>
  new Option(
    "--token-file <file>",
    "file with your token, such as the source's admin.token (default: its text in FLOCKCAST_TOKEN)",
  );
export const jsonOption = () => new Option("--json", "as JSON");
