/** Pinned certificates and the connections that fetch keeps, with real TLS servers. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "bun:test";
import { pinnedTls } from "./pinned-tls.ts";

const folder = mkdtempSync(join(tmpdir(), "flockcast-pinned-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function certificate(name: string, names: string | null): { cert: string; key: string } {
  const [cert, key] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)];
  const words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2".split(" ");
  const alternative = names === null ? [] : ["-addext", `subjectAltName=${names}`];
  const out = ["-subj", `/CN=${name}`, ...alternative, "-out", cert, "-keyout", key];
  const made = Bun.spawnSync(["openssl", ...words, ...out], { stderr: "pipe" });
  expect(made.exitCode, made.stderr.toString()).toBe(0);
  return { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
}

function serve(tls: { cert: string; key: string }) {
  const ports = new Set<number>();
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    tls,
    fetch: (request, { requestIP }) => {
      ports.add(requestIP.call(server, request)!.port);
      return new Response("answer");
    },
  });
  const ask = async (ca: string, host = "127.0.0.1"): Promise<string> => {
    const url = `https://${host}:${server.port}/`;
    return (await fetch(url, { tls: pinnedTls(ca, url) })).text();
  };
  return { ask, ports, [Symbol.asyncDispose]: () => server.stop(true) };
}

describe("a pinned certificate", () => {
  const named = certificate("named", "IP:127.0.0.1,DNS:localhost");

  test("with the address of the host lets requests share a connection", async () => {
    await using server = serve(named);
    for (let at = 0; at < 5; at++) expect(await server.ask(named.cert)).toBe("answer");
    expect(server.ports.size).toBe(1);
    expect(await server.ask(named.cert, "localhost")).toBe("answer");
  });

  test.each([
    ["without alternative names", null],
    ["with another address", "IP:127.0.0.2"],
    ["with another name", "DNS:source.example"],
  ])("%s is accepted under every name of the host", async (name, names) => {
    const other = certificate(name.replaceAll(" ", "-"), names);
    await using server = serve(other);
    expect(await server.ask(other.cert)).toBe("answer");
  });

  test("refuses another certificate of the same names", async () => {
    await using server = serve(certificate("impostor", "IP:127.0.0.1,DNS:localhost"));
    await expect(server.ask(named.cert)).rejects.toThrow();
    await expect(server.ask(named.cert, "localhost")).rejects.toThrow();
  });
});
