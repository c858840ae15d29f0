/** Property list of a service of macOS (launchd.plist), for `service install` and the package. */
import type { ServiceName, ServiceSpec } from "./service.ts";

/** @returns "flockcast.peer" for "flockcast-peer" */
export const labelOf = (name: ServiceName): string => name.replace("-", ".");

const escapes: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
const textOf = (text: string): string => text.replaceAll(/[&<>]/g, (found) => escapes[found]!);
const element = (name: string, text: string): string => `<${name}>${textOf(text)}</${name}>`;

/**
 * Returns the property list. Without `AbandonProcessGroup`, launchd would end the command of a task
 * with the agent. `ExitTimeOut` is above the time in which the programs stop.
 */
export function launchdPlist({
  name,
  command,
  keepsChildren,
}: Pick<ServiceSpec, "name" | "command" | "keepsChildren">): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>
  ${element("string", labelOf(name))}
  <key>ProgramArguments</key>
  <array>
${command.map((word) => `    ${element("string", word)}`).join("\n")}
  </array>
  <key>WorkingDirectory</key>
  <string>/</string>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <true/>
  <key>ThrottleInterval</key>
  <integer>10</integer>
  <key>ExitTimeOut</key>
  <integer>10</integer>
  <key>AbandonProcessGroup</key>
  <${keepsChildren}/>
  <key>ProcessType</key>
  <string>Background</string>
  <key>HardResourceLimits</key>
  <dict>
    <key>Core</key>
    <integer>0</integer>
  </dict>
</dict>
</plist>
`;
}
