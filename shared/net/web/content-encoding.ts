/**
 * Content-Encoding of answers that are read as they are. Web servers and object stores also send
 * the header where the bytes are those of the file; the digests judge them.
 */

/** Values that object stores keep as metadata, and that change no byte. */
const harmless: ReadonlySet<string> = new Set(["", "identity", "none", "aws-chunked"]);
const gzip: ReadonlySet<string> = new Set(["gzip", "x-gzip"]);

/** Returns the codings of the header that may change bytes. */
const codingsOf = (header: string | null): string[] =>
  (header ?? "")
    .split(",")
    .map((coding) => coding.trim().toLowerCase())
    .filter((coding) => !harmless.has(coding));

/** Returns whether the header only describes the file itself, as Apache does for "a.tar.gz". */
export function describesFile(header: string | null, url: string): boolean {
  const isZipped = /\.(gz|tgz)$/i.test(URL.parse(url)?.pathname ?? "");
  return codingsOf(header).every((coding) => isZipped && gzip.has(coding));
}

/**
 * Returns whether the body may be the asked bytes.
 * @param expectedBytes length of the asked bytes; another Content-Length shows a compression
 */
export function isUncompressed(headers: Headers, url: string, expectedBytes: number): boolean {
  const header = headers.get("content-encoding");
  if (codingsOf(header).length === 0) return true;
  const length = headers.get("content-length");
  return length === null ? describesFile(header, url) : Number(length) === expectedBytes;
}
