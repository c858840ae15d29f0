/**
 * Names and addresses in the certificate that the source issues itself: those under which browsers
 * and monitoring reach it. Devices do not look at them.
 */
import { isIP } from "node:net";
import { hostname, networkInterfaces } from "node:os";
import { domainToASCII } from "node:url";
import { isLoopback } from "../model/loopback.ts";
import { canonicalAddress } from "../model/subnet.ts";
import type { Listen } from "./listen.ts";

const label = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
const hostPattern = new RegExp(`^(?:\\*\\.)?${label}(?:\\.${label})*$`);
const ofThisHost = ["localhost", "127.0.0.1", "::1"] as const;

/**
 * Parses a value of `--name`.
 * @throws Error that quotes the value
 */
export function parseCertificateName(text: string): string {
  const name = normalName(text);
  if (name !== null) return name;
  throw new Error(
    `--name "${text}" is not a host name or an address: write for example source.example or 192.0.2.7`,
  );
}

/**
 * Returns the names given, and those of the address to listen on. An address for all interfaces
 * stands for the host's name and addresses.
 */
export function certificateNames(listen: Listen, given: readonly string[]): string[] {
  const isAll = listen.host === "0.0.0.0" || listen.host === "::";
  const found = isAll
    ? [hostname(), ...ofThisHost, ...addressesOfHost()]
    : isLoopback(listen.host)
      ? [listen.host, ...ofThisHost]
      : [listen.host, hostname()];
  const names = [...given, ...found].map(normalName).filter((name) => name !== null);
  return [...new Set(names)];
}

/** Returns the form that certificates have; null if the text is neither name nor address. */
function normalName(text: string): string | null {
  if (isIP(text) !== 0) return text.includes("%") ? null : canonicalAddress(text);
  const host = text.replace(/^\*\./, "");
  // domainToASCII ignores what follows a name, such as a port.
  const ascii = /[^\p{L}\p{M}\p{N}.-]/u.test(host) ? "" : domainToASCII(host).replace(/\.$/, "");
  const name = text.startsWith("*.") && ascii !== "" ? `*.${ascii}` : ascii;
  return name.length <= 253 && hostPattern.test(name) && isIP(name) === 0 ? name : null;
}

/** Addresses beyond this link, which a URL can name. */
const addressesOfHost = (): string[] =>
  Object.values(networkInterfaces())
    .flatMap((entries) => entries ?? [])
    .filter(({ address, internal }) => !internal && !/^(?:fe80:|169\.254\.)/i.test(address))
    .map(({ address }) => address);
