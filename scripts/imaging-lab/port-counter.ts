/** Bytes that leave a namespace from one TCP port, counted by the kernel (nftables). */
import * as v from "valibot";
import { inside } from "../lab/namespace.ts";
import { outputOf } from "../rig/process.ts";

/** Headers of IPv4, and of TCP with timestamps. */
const headerBytes = 20 + 32;

const listSchema = v.object({
  nftables: v.array(
    v.looseObject({ counter: v.optional(v.object({ packets: v.number(), bytes: v.number() })) }),
  ),
});

export async function countPort(namespace: string, port: number): Promise<void> {
  const rules = `table ip imaging {
  counter sent { }
  chain leaving {
    type filter hook output priority 0;
    oifname != "lo" tcp sport ${port} counter name sent
  }
}
`;
  await outputOf([...inside(namespace), "nft", "-f", "-"], { input: rules });
}

/** Returns the payload of the port since `countPort`. */
export async function payloadSent(namespace: string): Promise<number> {
  const words = ["nft", "-j", "list", "counter", "ip", "imaging", "sent"];
  const listed = v.parse(listSchema, JSON.parse(await outputOf([...inside(namespace), ...words])));
  const counter = listed.nftables.find((each) => each.counter !== undefined)?.counter;
  if (counter === undefined) throw new Error("nftables has no counter of the source's port");
  return counter.bytes - counter.packets * headerBytes;
}
