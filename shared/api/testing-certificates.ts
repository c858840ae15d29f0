/** Certificates of tests, made with openssl: self-signed, of a private authority, of any dates. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

export type CertificateFiles = { readonly certFile: string; readonly keyFile: string };

const keyKinds = {
  ec: ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
  rsa: ["rsa:2048"],
} as const;
/** Dates as openssl writes them: YYYYMMDDHHMMSSZ. */
const periods = {
  now: ["20200101000000Z", "20491231000000Z"],
  expired: ["20200101000000Z", "20210101000000Z"],
  future: ["20480101000000Z", "20490101000000Z"],
} as const;

async function openssl(folder: string, ...words: readonly string[]): Promise<void> {
  const child = Bun.spawn(["openssl", ...words], { cwd: folder, stdout: "ignore", stderr: "pipe" });
  if ((await child.exited) !== 0) throw new Error(`openssl: ${await child.stderr.text()}`);
}

type Wanted = {
  readonly name: string;
  readonly key?: keyof typeof keyKinds;
  readonly period?: keyof typeof periods;
  /** Names that the certificate lists, for example "IP:127.0.0.1". */
  readonly names?: string;
  /** Authority that signs the certificate; default: the certificate's own key. */
  readonly authority?: CertificateFiles;
};

/** Makes a certificate and its key below `folder`. */
export async function makeCertificate(folder: string, wanted: Wanted): Promise<CertificateFiles> {
  const { name, key = "ec", period = "now", names = null, authority = null } = wanted;
  const [certFile, keyFile] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)];
  const signer = `${name}.signer`;
  await mkdir(join(folder, signer), { recursive: true });
  await writeFile(join(folder, signer, "index.txt"), "");
  await writeFile(join(folder, signer, "serial"), `${crypto.randomUUID().replaceAll("-", "")}\n`);
  const lines = [
    "[ca]\ndefault_ca=one\n[one]",
    `database=${signer}/index.txt\nserial=${signer}/serial\nnew_certs_dir=${signer}`,
    "default_md=sha256\npolicy=any\ncopy_extensions=copy\n[any]\ncommonName=supplied\n",
  ];
  await writeFile(join(folder, signer, "config"), lines.join("\n"));
  const subject = ["-subj", `/CN=${name}`, ...(names === null ? [] : ["-addext", `subjectAltName=${names}`])];
  const request = ["-nodes", "-keyout", keyFile, "-out", `${signer}/request`];
  await openssl(folder, "req", "-newkey", ...keyKinds[key], ...request, ...subject);
  const [start, end] = periods[period];
  const by = authority
    ? ["-cert", authority.certFile, "-keyfile", authority.keyFile]
    : ["-selfsign", "-keyfile", keyFile];
  const out = ["-startdate", start, "-enddate", end, "-in", `${signer}/request`, "-out", certFile];
  await openssl(folder, "ca", "-batch", "-notext", "-config", `${signer}/config`, ...by, ...out);
  return { certFile, keyFile };
}

/** Appends the authority's certificate, as servers with a chain do. */
export async function withChain(leaf: CertificateFiles, authority: CertificateFiles): Promise<void> {
  const texts = await Promise.all([leaf, authority].map(({ certFile }) => readFile(certFile, "utf8")));
  await writeFile(leaf.certFile, texts.join(""));
}
