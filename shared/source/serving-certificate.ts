/**
 * Certificate with which the source listens: its own (own-certificate.ts), one of given files
 * (tls-files.ts), or none.
 */
import type { Logger } from "../log.ts";
import { certificateNames } from "./certificate-names.ts";
import { loadTls, type Listen, type Tls } from "./listen.ts";
import { OwnCertificate } from "./own-certificate.ts";
import { watchTlsFiles } from "./tls-files.ts";

export type TlsFiles = { readonly certFile: string; readonly keyFile: string };
/** `own`: the source issues the certificate, for its own names and for `names`. */
export type TlsChoice =
  | { readonly kind: "own"; readonly names: readonly string[] }
  | ({ readonly kind: "files" } & TlsFiles)
  | { readonly kind: "none" };

type Replace = (tls: Tls) => Promise<void>;
export type ServingCertificate = {
  /** Undefined without TLS. */
  readonly tls: Tls | undefined;
  /** Calls `replace` when the certificate in use changes, until `close`. */
  readonly watch: (replace: Replace) => void;
  /** Does at once what the watch does in a day. */
  readonly renew: (replace: Replace) => Promise<void>;
  readonly close: () => void;
};

type Place = {
  readonly dataDir: string;
  readonly listen: Listen;
  readonly nowMs: () => number;
  readonly log: Logger;
};

const nothing = (): void => {};

/** @throws Error that names the file that cannot be used */
export async function openServingCertificate(choice: TlsChoice, place: Place): Promise<ServingCertificate> {
  switch (choice.kind) {
    case "own":
      return ownCertificate(choice.names, place);
    case "files":
      return givenCertificate(choice, place);
    case "none":
      return { tls: undefined, watch: nothing, renew: () => Promise.resolve(), close: nothing };
  }
}

async function ownCertificate(
  given: readonly string[],
  { listen, ...place }: Place,
): Promise<ServingCertificate> {
  const own = await OwnCertificate.open({ ...place, names: () => certificateNames(listen, given) });
  return {
    tls: own.tls,
    watch: (replace) => own.watch(replace),
    renew: (replace) => own.renewWith(replace),
    close: () => own.close(),
  };
}

async function givenCertificate(
  { certFile, keyFile }: TlsFiles,
  { log }: Place,
): Promise<ServingCertificate> {
  let close = nothing;
  return {
    tls: await loadTls(certFile, keyFile),
    watch: (replace) => {
      close = watchTlsFiles({ certFile, keyFile, onChange: replace, log });
    },
    renew: () => Promise.resolve(),
    close: () => close(),
  };
}
