/**
 * Shell of the packages for Linux: what happens after the installation, before the removal and at a
 * purge. .deb and .rpm call the same functions with their own arguments.
 */
import type { ServiceName } from "../../shared/platform/service.ts";
import { sysctlFile } from "./linux-files.ts";
import { settingsFile } from "./units.ts";

const settings: Readonly<Record<ServiceName, string>> = {
  "flockcast-peer": `# Settings of the flockcast agent, read by its service at each start:
# systemctl restart flockcast-peer
#
# URL of the source. Without it the service is not started.
#FLOCKCAST_SOURCE=https://source.example:7443
# File with the enrolment token, of mode 0600; needed until the device is enrolled.
FLOCKCAST_ENROLL_FILE=/etc/flockcast/enroll.token
# Further options of "flockcast-peer run", for example --volunteer.
#FLOCKCAST_OPTIONS=
`,
  "flockcast-source": `# Settings of the flockcast source, read by its service at each start:
# systemctl restart flockcast-source
#
#FLOCKCAST_LISTEN=0.0.0.0:7443
# Further options of "flockcast-source serve", for example --name source.example.
#FLOCKCAST_OPTIONS=
`,
};

/** Whether the program can run with its settings. */
const isConfigured: Readonly<Record<ServiceName, string>> = {
  "flockcast-peer": `grep -q '^FLOCKCAST_SOURCE=.' ${settingsFile("flockcast-peer")}`,
  "flockcast-source": "true",
};

const user = "flockcast-source";

const beforeStart: Readonly<Record<ServiceName, string>> = {
  "flockcast-peer": `sysctl -q -p ${sysctlFile} 2>/dev/null || true`,
  "flockcast-source": `getent passwd ${user} >/dev/null ||
  useradd --system --no-create-home --home-dir / --shell /usr/sbin/nologin ${user}`,
};

const dataFolder: Readonly<Record<ServiceName, string>> = {
  "flockcast-peer": "/var/lib/flockcast",
  "flockcast-source": "/var/lib/flockcast-source",
};

/**
 * Functions of the scripts. A start that fails does not fail the installation: the settings may be
 * wrong, and the log of the service tells how.
 */
export const scriptFunctions = (name: ServiceName): string => `set -e
is_booted() { [ -d /run/systemd/system ]; }
after_install() {
  mkdir -p /etc/flockcast
  if [ ! -e ${settingsFile(name)} ]; then
    cat > ${settingsFile(name)} <<'SETTINGS'
${settings[name]}SETTINGS
    chmod 0644 ${settingsFile(name)}
  fi
  ${beforeStart[name]}
  if is_booted; then systemctl daemon-reload; fi
}
first_start() {
  systemctl -q enable ${name}.service
  if ! ${isConfigured[name]}; then
    echo "${name} is not started: write FLOCKCAST_SOURCE to ${settingsFile(name)}, then systemctl start ${name}"
  elif is_booted && [ ! -x /usr/sbin/policy-rc.d ]; then
    systemctl start ${name}.service || true
  fi
}
next_start() { if is_booted; then systemctl try-restart ${name}.service || true; fi; }
before_removal() {
  if is_booted; then systemctl stop ${name}.service || true; fi
  systemctl -q disable ${name}.service || true
}
after_removal() {
  rm -f /usr/bin/${name}.new /usr/bin/${name}.previous
  if is_booted; then systemctl daemon-reload; fi
}
purge() {
  rm -rf ${dataFolder[name]}
  rm -f ${settingsFile(name)}${name === "flockcast-peer" ? " /etc/flockcast/enroll.token" : ""}
  rmdir /etc/flockcast 2>/dev/null || true
  ${name === "flockcast-source" ? `if getent passwd ${user} >/dev/null; then userdel ${user}; fi` : ":"}
}
`;
