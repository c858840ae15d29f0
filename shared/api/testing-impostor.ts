/** A server that poses as the source, and records every byte that clients send to it. */
import { readFileSync } from "node:fs";
import { connect as connectPlain, type AddressInfo } from "node:net";
import { connect, createServer, type TLSSocket } from "node:tls";
import type { CertificateFiles } from "./testing-certificates.ts";

export type Impostor = AsyncDisposable & {
  readonly url: string;
  /** Everything that clients have sent, after decryption. */
  readonly received: () => string;
};

const nothing = "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno";

/**
 * Listens with a certificate of its own.
 * @param relay port of the real source, to which every byte is passed on; null: answers 404
 * @param relayKind whether that source has TLS
 */
export async function openImpostor(
  certificate: CertificateFiles,
  relay: number | null = null,
  port = 0,
  relayKind: "tls" | "plain" = "tls",
): Promise<Impostor> {
  const bytes: Buffer[] = [];
  const open = new Set<TLSSocket>();
  const serve = (socket: TLSSocket): void => {
    open.add(socket);
    socket.on("error", () => {}).on("close", () => open.delete(socket));
    const place = { host: "127.0.0.1", port: relay ?? 0 };
    const real =
      relay === null
        ? null
        : relayKind === "tls"
          ? connect({ ...place, rejectUnauthorized: false })
          : connectPlain(place);
    real?.on("error", () => socket.destroy()).on("data", (answer) => socket.write(answer));
    socket.on("close", () => real?.destroy());
    socket.on("data", (sent: Buffer) => {
      bytes.push(sent);
      if (real === null) socket.write(nothing);
      else real.write(sent);
    });
  };
  const tls = { cert: readFileSync(certificate.certFile), key: readFileSync(certificate.keyFile) };
  const server = createServer(tls, serve).on("tlsClientError", () => {});
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject).listen(port, "127.0.0.1", resolve);
  await promise;
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received: () => Buffer.concat(bytes).toString("latin1"),
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}
