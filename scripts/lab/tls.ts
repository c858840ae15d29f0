/** Self-signed certificate of the lab's source. */
import { join } from "node:path";
import { outputOf } from "../rig/process.ts";

/** Makes a certificate below `folder`, and returns the words of `serve` that use it. */
export async function tlsWords(address: string, folder: string): Promise<string[]> {
  const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  const kind = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2".split(" ");
  const names = ["-subj", "/CN=source", "-addext", `subjectAltName=IP:${address}`];
  await outputOf(["openssl", ...kind, ...names, "-out", cert, "-keyout", key]);
  return ["--tls-cert", cert, "--tls-key", key];
}
