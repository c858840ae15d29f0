/** Options of `serve`, which `service install` takes too. */
import { Option, type Command } from "@commander-js/extra-typings";

const dataText = "data folder, created if missing";

/** @param dataFolder folder of the system's services, which need not be named; null: none */
export function addServeOptions(command: Command, dataFolder: string | null = null): void {
  command
    .addOption(
      dataFolder === null
        ? new Option("--data <dir>", dataText).makeOptionMandatory()
        : new Option("--data <dir>", `${dataText} (default: ${dataFolder})`),
    )
    .requiredOption(
      "--listen <host:port>",
      "address to listen on; port 0: a free port, written to DIR/source.url",
    )
    .option(
      "--name <host>",
      "host name or address for the certificate that the source issues itself; may be repeated",
      (name: string, all?: string[]) => [...(all ?? []), name],
    )
    .option("--tls-cert <file>", "certificate chain in PEM to use instead; may be self-signed")
    .option("--tls-key <file>", "private key of that certificate in PEM")
    .option("--no-tls", "listen without TLS: for labs, and for a proxy that ends TLS")
    .option(
      "--console-port <port>",
      "port of the console for browsers of this machine, over http on loopback, or off (default: 7444 where there is TLS)",
    )
    .option(
      "--trusted-proxy <cidr>",
      "proxy whose Forwarded or X-Forwarded-For header names the client; may be repeated",
      (cidr: string, all?: string[]) => [...(all ?? []), cidr],
    )
    .option(
      "--keep-versions <count>",
      "newest versions of a package that stay; older ones without an open task are removed",
    )
    .option(
      "--approve-takeovers",
      "let a device that is installed again with enroll.token keep its tags without device approve",
    )
    .option(
      "--webhook-network <cidr>",
      "network that is not public to which webhooks may go, also over http; may be repeated",
      (cidr: string, all?: string[]) => [...(all ?? []), cidr],
    )
    .option(
      "--publish-network <cidr>",
      "network that is not public from which the console may publish by URL; may be repeated",
      (cidr: string, all?: string[]) => [...(all ?? []), cidr],
    );
  addBootOptions(command);
  command
    .option("--audit-age <duration>", "age at which rows of the audit are removed", "400d")
    .option(
      "--accept-device-groups",
      "count the groups that devices state themselves (--device-group) as tags: for labs only",
    )
    .option(
      "--log-file <file>",
      "log to this file, which is rotated at 10 MiB, four times, instead of standard error",
    );
}

function addBootOptions(command: Command): void {
  command
    .option(
      "--boot-listen <host:port>",
      "also serve the boot files of `bun run image` on this address, over plain http, to machines that start from the network",
    )
    .option(
      "--pending-imaging",
      "let machines of the boot image enrol without a token; each waits for device approve CODE",
    )
    .option("--boot-dir <dir>", "folder of the boot files (default: boot in the data folder)");
}
