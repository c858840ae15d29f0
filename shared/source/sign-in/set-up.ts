/**
 * Set-up of a source without users: a one-time link in the log, by which the first administrator is
 * created. Each start makes another link, and the first user ends it.
 */
import { certificateNames } from "../certificate-names.ts";
import { isLoopback } from "../../model/loopback.ts";
import type { SourceContext } from "../context.ts";
import { localUrl } from "../listen.ts";

const setUpMsMax = 24 * 3_600_000;

type Place = {
  readonly host: string;
  readonly port: number;
  readonly hasTls: boolean;
  /** Names of the certificate, of which the first is shown. */
  readonly names: readonly string[];
};

/** Returns the address of the source for a browser, also on another machine where TLS allows it. */
export function browserUrl({ host, port, hasTls, names }: Place): string {
  const isAll = host === "0.0.0.0" || host === "::";
  const isOpen = hasTls && (isAll || names.length > 0);
  const known = isOpen ? certificateNames({ host, port }, names) : [];
  // The name of a certificate for a whole domain is not an address.
  const name = known.find((one) => !one.startsWith("*") && !isLoopback(one));
  return localUrl(name ?? host, port, hasTls);
}

/** Writes the link for the set-up into the log of a source without users. */
export async function offerSetUp(context: SourceContext): Promise<void> {
  const { addresses, catalog, log, nowMs, signIn } = context;
  if (await catalog.users.hasAny()) return;
  const secret = signIn.setUps.make(true, nowMs() + setUpMsMax);
  const linkAt = (address: string): string => `${address}/#/set-up/${secret}`;
  const here = addresses.console === null ? {} : { onThisMachine: linkAt(addresses.console) };
  log.info(
    { link: linkAt(addresses.source), ...here },
    "no user yet: open this link in a browser within 24 h to add the first administrator",
  );
}
