/**
 * Ports that each service needs in a firewall: the definitions of the packages, and docs/PORTS.md.
 * The agent's ports are those of its constants. The source has no port without `--listen`: its
 * package and the documents use one number.
 */
import { defaultLanPort } from "../../shared/net/exchange/server.ts";
import { defaultGroup } from "../../shared/net/lan/multicast-group.ts";
import type { ServiceName } from "../../shared/platform/service.ts";

export const sourcePort = 7_443;

type ServicePort = { readonly protocol: "udp" | "tcp"; readonly port: number };

export const servicePorts: Readonly<Record<ServiceName, readonly ServicePort[]>> = {
  "flockcast-peer": [
    { protocol: "udp", port: defaultGroup.port },
    { protocol: "tcp", port: defaultLanPort },
  ],
  "flockcast-source": [{ protocol: "tcp", port: sourcePort }],
};
