/**
 * docs/PORTS.md against the code: the ports are those of the constants, the options exist, and
 * every file that opens a port belongs to a row. A new listener fails until the page has its row.
 */
import { describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { programTrees } from "../generate/man.ts";
import { writeLinuxFiles } from "../package/linux-files.ts";
import { servicePorts, sourcePort } from "../package/service-ports.ts";
import { allCommands } from "../../shared/command-line/command-tree.ts";
import { defaultLanPort } from "../../shared/net/exchange/server.ts";
import { wakePort } from "../../shared/model/wake-on-lan.ts";
import { discardPort } from "../../shared/net/interfaces/gateway.ts";
import { defaultGroup } from "../../shared/net/lan/multicast-group.ts";
import { serviceNames } from "../../shared/platform/service.ts";
import { consolePortDefault } from "../../shared/source/console/console-listener.ts";

const root = join(import.meta.dir, "../..");
const page = await Bun.file(join(root, "docs/PORTS.md")).text();

const section = (title: string): string => page.split(`\n## ${title}\n`)[1]?.split("\n## ")[0] ?? "";
/** Cells of the table of a section, without its head. */
const rowsOf = (title: string): string[][] =>
  section(title)
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .slice(2)
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );

const commands = programTrees().flatMap(({ tree }) => allCommands(tree));
/** Whether a command has an option, or any command of the three programs where none is named. */
function hasOption(words: string): boolean {
  const flag = words.split(" ").at(-1)!;
  const name = words.slice(0, -flag.length).trim();
  return commands.some(
    (command) =>
      (name === "" || command.name === name || command.name.endsWith(` ${name}`)) &&
      command.options.some(({ flags }) => flags.includes(flag)),
  );
}

/** Port of the metrics in the help of `--metrics`, which has no default. */
function metricsPort(): string {
  const run = commands.find(({ name }) => name === "flockcast-peer run")!;
  const metrics = run.options.find(({ flags }) => flags.includes("--metrics"))!;
  return /127\.0\.0\.1:(\d+)/.exec(metrics.description)![1]!;
}

test("docs/PORTS.md names the ports that the constants of the code have, and no others", () => {
  const opened = rowsOf("Ports that are opened").map(([port, , , , option]) => [port, option]);
  expect(opened).toEqual([
    [`\`${defaultGroup.port}/udp\``, "`flockcast-peer run --group`"],
    [`\`${defaultLanPort}/tcp\``, "`flockcast-peer run --lan-port`"],
    [`\`${metricsPort()}/tcp\`, loopback`, "`flockcast-peer run --metrics`"],
    [`\`${sourcePort}/tcp\``, "`flockcast-source serve --listen`"],
    [`\`${consolePortDefault}/tcp\`, loopback`, "`flockcast-source serve --console-port`"],
    ["a chosen tcp port", "`flockcast-source serve --boot-listen`"],
    ["free tcp, loopback", "none"],
  ]);
  expect(page).toContain(`multicast to ${defaultGroup.address}`);
  const made = new Set(rowsOf("Connections that are made").flatMap(([to]) => to!.match(/\d+\/\w+/g) ?? []));
  const ofSites = ["80/tcp", "443/tcp"];
  const known = [
    `${sourcePort}/tcp`,
    `${defaultLanPort}/tcp`,
    `${defaultGroup.port}/udp`,
    `${discardPort}/udp`,
    `${wakePort}/udp`,
  ];
  expect([...made].toSorted()).toEqual([...new Set([...known, ...ofSites])].toSorted());
});

test("docs/PORTS.md names options and commands that the programs have", () => {
  const named = [...page.matchAll(/`([^`\n]*?--[a-z-]+)`/g)].map(([, words]) => words!);
  expect(named.length).toBeGreaterThan(8);
  expect(named.filter((words) => !hasOption(words))).toEqual([]);
  const commandNames = ["source move", "package url add", "webhook add"];
  for (const name of commandNames) {
    expect(page).toContain(`\`${name}`);
    expect(commands.map((command) => command.name)).toContain(`flockcast-source ${name}`);
  }
});

/** Files of the product that open a port or a socket → the row of the page, or why it has none. */
const openers: Readonly<Record<string, string>> = {
  "shared/net/lan/group-receiver.ts": "`7067/udp`",
  "shared/net/lan/recvmmsg.ts": "`7067/udp`",
  "shared/net/lan/group-sender.ts": "sent from a free port",
  "shared/net/lan/segment-sender.ts": "sent from a free port",
  "shared/net/exchange/server.ts": "LAN exchange",
  "shared/net/interfaces/gateway.ts": "so that the system learns the gateway's MAC",
  "shared/net/lan/wake-packets.ts": "Wake-on-LAN",
  "shared/net/interfaces/list.ts": "nothing: the socket sends no datagram",
  "shared/source/listener.ts": "`7443/tcp`",
  "shared/source/boot/boot-listener.ts": "boot files",
  "shared/source/console/console-listener.ts": "`7444/tcp`, loopback",
  "shared/agent/status/status-server.ts": "free tcp, loopback",
  "shared/agent/status/metrics-server.ts": "`9767/tcp`, loopback",
};

test("docs/PORTS.md has a row for every file of the product that opens a port", async () => {
  const opens = /\bBun\.(?:serve|listen|udpSocket)\b[(<]|\bcreate(?:Socket|Server)\(|\bbindTo\((?!system: )/;
  const found: string[] = [];
  for await (const path of new Bun.Glob("{shared,roles}/**/*.ts").scan({ cwd: root })) {
    if (/(?:^|\/)testing|\.test\.ts$|fixture/.test(path)) continue;
    const code = (await Bun.file(join(root, path)).text()).replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
    if (opens.test(code)) found.push(path);
  }
  expect(found.toSorted()).toEqual(Object.keys(openers).toSorted());
  for (const row of Object.values(openers)) if (!row.startsWith("nothing")) expect(page).toContain(row);
});

describe("firewall rules of docs/PORTS.md", () => {
  const rules = section("Firewall rules");

  test("open the ports of each service for nftables and Windows", () => {
    for (const name of serviceNames)
      for (const { protocol, port } of servicePorts[name]) {
        expect(rules).toContain(`nft add rule inet filter input ${protocol} dport ${port} accept`);
        expect(rules).toContain(
          `rule name=${name} dir=in action=allow profile=any protocol=${protocol.toUpperCase()} localport=${port}`,
        );
      }
    expect(rules.match(/dport (\d+)/g)).toHaveLength(3);
  });

  test("name the definitions that the packages for Linux bring, with the same ports", async () => {
    const folder = await mkdtemp(join(tmpdir(), "flockcast-ports-"));
    try {
      const executable = join(folder, "program");
      await writeFile(executable, "");
      for (const name of serviceNames) {
        const out = join(folder, name);
        const input = {
          name,
          version: "1.0.0",
          architecture: "x64",
          executable,
          out,
          epochSeconds: 1,
        } as const;
        await writeLinuxFiles(input, out);
        const firewalld = await readFile(join(out, `usr/lib/firewalld/services/${name}.xml`), "utf8");
        const ufw = await readFile(join(out, `etc/ufw/applications.d/${name}`), "utf8");
        const wanted = servicePorts[name].map(({ protocol, port }) => `${port}/${protocol}`);
        const opened = [...firewalld.matchAll(/<port protocol="(\w+)" port="(\d+)"/g)];
        expect(opened.map(([, protocol, port]) => `${port}/${protocol}`)).toEqual(wanted);
        expect(ufw).toContain(`ports=${wanted.join("|")}\n`);
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

test("the pages of the installation name no port that docs/PORTS.md does not have", async () => {
  for (const name of ["linux", "windows", "macos"]) {
    const text = await Bun.file(join(root, `docs/install/${name}.md`)).text();
    for (const [, protocol, port] of text.matchAll(/\b(TCP|UDP) (?:port )?(\d{2,5})\b/g))
      expect(page).toContain(`\`${port}/${protocol!.toLowerCase()}\``);
  }
});
