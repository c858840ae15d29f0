/** The connection through a proxy: what a real proxy on loopback is asked for. */
import { afterEach, expect, test } from "bun:test";
import net from "node:net";
import { connectPeer } from "./tls-peer.ts";

const before = process.env["https_proxy"];
const servers: net.Server[] = [];
afterEach(() => {
  if (before === undefined) delete process.env["https_proxy"];
  else process.env["https_proxy"] = before;
  for (const server of servers.splice(0)) server.close();
});

/** Starts a proxy that refuses everybody, and returns its port and the heads that it received. */
async function refusingProxy(): Promise<{ port: number; heads: string[] }> {
  const heads: string[] = [];
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (data) => {
      heads.push(data.toString("latin1"));
      socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as net.AddressInfo).port, heads };
}

test.each([
  ["percent-encoded", "pa%25s%40s", "pa%s@s"],
  ["with a lone percent sign", "pa%ss", "pa%ss"],
])("a proxy gets a password %s", async (_, written, sent) => {
  const { port, heads } = await refusingProxy();
  process.env["https_proxy"] = `http://user:${written}@127.0.0.1:${port}`;
  const refused = expect(connectPeer("https://source.example:7443")).rejects.toThrow("403 Forbidden");
  await refused;
  expect(heads[0]).toStartWith("CONNECT source.example:7443 HTTP/1.1");
  expect(heads[0]).toContain(`Basic ${Buffer.from(`user:${sent}`).toString("base64")}\r\n`);
});

test("a proxy that is no URL is an error, not a direct connection", async () => {
  process.env["https_proxy"] = "http://proxy example:8080";
  await expect(connectPeer("https://127.0.0.1:9")).rejects.toThrow(
    "the proxy of https_proxy is not an http or https proxy",
  );
});

test("a proxy that answers byte by byte is given up", async () => {
  const server = net.createServer((socket) => {
    const timer = setInterval(() => socket.write("H"), 20);
    socket.on("error", () => {}).on("close", () => clearInterval(timer));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  process.env["https_proxy"] = `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`;
  await expect(connectPeer("https://source.example:7443", 300)).rejects.toThrow("no answer within 0.3 s");
});
