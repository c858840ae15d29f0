/**
 * Issues a self-signed TLS certificate (X.509 version 3, RFC 5280) for a P-256 key, signed with
 * ECDSA and SHA-256. DER is written here: the libraries that do so bring a dozen packages.
 *
 * Devices take nothing but the key from a certificate (model/source-statement.ts). Names and dates
 * are for browsers and monitoring.
 */
import { randomBytes, sign, createPublicKey, type KeyObject } from "node:crypto";
import { isIP } from "node:net";
import ipaddr from "ipaddr.js";

export type CertificateFacts = {
  readonly privateKey: KeyObject;
  /** Shown to people; at most 64 characters. */
  readonly commonName: string;
  /** Host names in ASCII, and IP addresses. */
  readonly names: readonly string[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
};

/** Tags of ASN.1 (X.690). */
const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  version: 0xa0,
  extensions: 0xa3,
  dnsName: 0x82,
  ipAddress: 0x87,
} as const;

/** Object identifiers: ecdsa-with-SHA256, commonName, the extensions, and serverAuth. */
const oids = {
  ecdsaSha256: "2a8648ce3d040302",
  commonName: "550403",
  keyUsage: "551d0f",
  subjectAltName: "551d11",
  basicConstraints: "551d13",
  extendedKeyUsage: "551d25",
  serverAuth: "2b06010505070301",
} as const;

const serialBytes = 16;

/** Returns the certificate in PEM form. */
export function issueCertificate(facts: CertificateFacts): string {
  const { privateKey, commonName, names, notBeforeMs, notAfterMs } = facts;
  const name = sequence(
    der(tags.set, sequence(oid(oids.commonName), der(tags.utf8, Buffer.from(commonName)))),
  );
  const algorithm = sequence(oid(oids.ecdsaSha256));
  const body = sequence(
    der(tags.version, der(tags.integer, Buffer.from([2]))),
    serialNumber(),
    algorithm,
    name,
    sequence(time(notBeforeMs), time(notAfterMs)),
    name,
    createPublicKey(privateKey).export({ type: "spki", format: "der" }),
    der(tags.extensions, extensions(names)),
  );
  const signature = sign("sha256", body, privateKey);
  const base64 = sequence(body, algorithm, bitString(0, signature)).toString("base64");
  return `-----BEGIN CERTIFICATE-----\n${base64.replaceAll(/.{1,64}/g, "$&\n")}-----END CERTIFICATE-----\n`;
}

/** Returns a value: tag, length and contents. */
function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  const size = content.length;
  if (size < 0x80) return Buffer.concat([Buffer.from([tag, size]), content]);
  const digits = size.toString(16);
  const length = Buffer.from(digits.padStart(digits.length + (digits.length % 2), "0"), "hex");
  return Buffer.concat([Buffer.from([tag, 0x80 + length.length]), length, content]);
}

const sequence = (...contents: readonly Uint8Array[]): Buffer => der(tags.sequence, ...contents);
const oid = (hex: string): Buffer => der(tags.oid, Buffer.from(hex, "hex"));
const bitString = (unusedBits: number, bytes: Uint8Array): Buffer =>
  der(tags.bitString, Buffer.from([unusedBits]), bytes);

/** A random positive number, whose first byte is not 0 (the shortest form). */
function serialNumber(): Buffer {
  const bytes = randomBytes(serialBytes);
  bytes[0] = 0x40 | (bytes[0]! & 0x3f);
  return der(tags.integer, bytes);
}

/** Years before 2050 have two digits (RFC 5280, 4.1.2.5). */
function time(atMs: number): Buffer {
  const text = new Date(atMs).toISOString().replaceAll(/[-:T]|\.\d+/g, "");
  return text < "2050"
    ? der(tags.utcTime, Buffer.from(text.slice(2)))
    : der(tags.generalizedTime, Buffer.from(text));
}

function extensions(names: readonly string[]): Buffer {
  const critical = der(tags.boolean, Buffer.from([0xff]));
  const one = (id: string, value: Buffer, ...flags: readonly Buffer[]): Buffer =>
    sequence(oid(id), ...flags, der(tags.octetString, value));
  return sequence(
    // Not an authority: the default of its one field.
    one(oids.basicConstraints, sequence(), critical),
    // The bit digitalSignature; seven bits of the byte are unused.
    one(oids.keyUsage, bitString(7, Buffer.from([0x80])), critical),
    one(oids.extendedKeyUsage, sequence(oid(oids.serverAuth))),
    ...(names.length === 0 ? [] : [one(oids.subjectAltName, sequence(...names.map(generalName)))]),
  );
}

const generalName = (name: string): Buffer =>
  isIP(name) === 0
    ? der(tags.dnsName, Buffer.from(name, "ascii"))
    : der(tags.ipAddress, Uint8Array.from(ipaddr.parse(name).toByteArray()));
