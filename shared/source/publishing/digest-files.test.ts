import { afterAll, describe, expect, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ChunkDigester } from "./chunk-digester.ts";
import { digestPath, digestUrl } from "./digest-files.ts";
import { chunkCount } from "../../model/manifest.ts";
import { decodeManifest, packageId } from "../../model/manifest-codec.ts";
import { ManifestError } from "../../model/manifest-error.ts";

const root = mkdtempSync(join(tmpdir(), "flockcast-digesting-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const folder = (name: string): string => {
  mkdirSync(join(root, name), { recursive: true });
  return join(root, name);
};
const naming = { name: "tool", version: "1.0" };
const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();

describe("digesting a path", () => {
  test("makes one stream of the files of a folder in byte order, with the same id every time", async () => {
    const at = folder("tree");
    mkdirSync(join(at, "b", "deep"), { recursive: true });
    const parts = {
      A: randomBytes(300_000),
      "b/a": randomBytes(10),
      "b/deep/z": randomBytes(400_000),
      empty: Buffer.alloc(0),
    };
    for (const [path, bytes] of Object.entries(parts)) writeFileSync(join(at, path), bytes);
    chmodSync(join(at, "b/a"), 0o711);
    const { manifest, bytes } = await digestPath(at, naming);
    expect(manifest.files.map((file) => [file.path, file.sizeBytes, file.mode])).toEqual([
      ["A", 300_000, 0o644],
      ["b/a", 10, 0o755],
      ["b/deep/z", 400_000, 0o644],
      ["empty", 0, 0o644],
    ]);
    // Large files begin with a chunk of their own.
    const chunks = [
      parts.A.subarray(0, 262_144),
      parts.A.subarray(262_144),
      parts["b/a"],
      parts["b/deep/z"].subarray(0, 262_144),
      parts["b/deep/z"].subarray(262_144),
    ];
    const digests = chunks.map(sha256);
    expect(Buffer.from(manifest.chunkDigests)).toEqual(Buffer.concat(digests));
    expect(decodeManifest(bytes)).toEqual(manifest);
    expect(packageId((await digestPath(at, naming)).bytes)).toBe(packageId(bytes));
  });

  test("keeps the name of a single file", async () => {
    const file = join(root, "setup.bin");
    writeFileSync(file, randomBytes(1_000));
    const { manifest } = await digestPath(file, naming);
    expect(manifest.files.map((each) => each.path)).toEqual(["setup.bin"]);
  });

  test("makes an empty package of an empty folder", async () => {
    expect(chunkCount((await digestPath(folder("empty"), naming)).manifest)).toBe(0);
  });

  test("keeps empty folders and links inside the package", async () => {
    const at = folder("App.app");
    mkdirSync(join(at, "Versions/A/Resources"), { recursive: true });
    mkdirSync(join(at, "logs"));
    writeFileSync(join(at, "Versions/A/App"), "program");
    symlinkSync("A", join(at, "Versions/Current"));
    symlinkSync("Versions/Current/App", join(at, "App"));
    const { manifest } = await digestPath(at, naming);
    expect(manifest.files.map((each) => each.path)).toEqual(["Versions/A/App"]);
    expect(manifest.folders).toEqual(["Versions/A/Resources", "logs"]);
    expect(manifest.links).toEqual([
      { path: "App", target: "Versions/Current/App" },
      { path: "Versions/Current", target: "A" },
    ]);
  });

  test("names the first three links that leave the package", async () => {
    const linked = folder("linked");
    for (const name of ["a", "b", "c", "d"]) symlinkSync(`/etc/${name}`, join(linked, name));
    const refused = await digestPath(linked, naming).catch((error: Error) => error.message);
    for (const name of ["a", "b", "c"])
      expect(refused).toContain(`the link "${name}" leads to "/etc/${name}"`);
    expect(refused).not.toContain('"d"');
  });

  test("names chunks of zeros", async () => {
    const file = join(root, "disk.img");
    writeFileSync(file, Buffer.concat([Buffer.alloc(262_144), randomBytes(262_144), Buffer.alloc(600_000)]));
    expect((await digestPath(file, naming)).manifest.encodings).toEqual([
      { encoding: "zeros", first: 0, count: 1 },
      { encoding: "zeros", first: 2, count: 3 },
    ]);
  });

  test("refuses special files and names that are invalid on some system, and names them", async () => {
    const piped = folder("piped");
    expect(Bun.spawnSync(["mkfifo", join(piped, "pipe")]).exitCode).toBe(0);
    expect(digestPath(piped, naming)).rejects.toThrow('"pipe"');
    writeFileSync(join(folder("named"), "aux.c"), "x");
    expect(digestPath(join(root, "named"), naming)).rejects.toThrow("aux.c");
    expect(digestPath(join(root, "nowhere"), naming)).rejects.toThrow(ManifestError);
    writeFileSync(Buffer.concat([Buffer.from(join(folder("bytes"), "x")), Buffer.from([0xff])]), "");
    expect(digestPath(join(root, "bytes"), naming)).rejects.toThrow("not valid UTF-8");
    writeFileSync(join(folder("composed"), "e\u0301"), "");
    expect(digestPath(join(root, "composed"), naming)).rejects.toThrow("normal form C");
    expect(digestPath(piped, { name: "a b", version: "1" })).rejects.toThrow('"a b"');
  });

  test("refuses a file that changes while it is read", async () => {
    const file = join(folder("growing"), "log");
    writeFileSync(file, randomBytes(3_000_000));
    let touched = false;
    const onProgress = (): void => {
      if (touched) return;
      touched = true;
      appendFileSync(file, "more");
    };
    expect(digestPath(file, { ...naming, onProgress })).rejects.toThrow("changed while it was read");
  });
});

test("gives a stream of unknown length the chunk size and digests of its length", () => {
  const bytes = randomBytes(700_000);
  const unknown = new ChunkDigester(null);
  for (let at = 0; at < bytes.length; at += 9_999) unknown.update(bytes.subarray(at, at + 9_999));
  const known = new ChunkDigester({ files: [{ path: "x", sizeBytes: 700_000 }], chunkSizeBytes: 262_144 });
  known.update(bytes);
  expect(unknown.finish()).toEqual(known.finish());
});

describe("digesting a URL", () => {
  const body = randomBytes(600_000);
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      const { pathname } = new URL(request.url);
      if (pathname === "/named") {
        return new Response(body, {
          headers: { "content-disposition": 'attachment; filename="My App.exe"' },
        });
      }
      if (pathname === "/evil") {
        return new Response(body, {
          headers: { "content-disposition": "attachment; filename=../../etc/passwd" },
        });
      }
      if (pathname === "/utf8") {
        return new Response(body, {
          headers: { "content-disposition": "attachment; filename=x; filename*=UTF-8''na%C3%AFve.bin" },
        });
      }
      if (pathname === "/moved") return Response.redirect("/dir/setup%20one.bin", 302);
      if (pathname === "/stream") {
        return new Response(new ReadableStream({ start: (c) => (c.enqueue(body), c.close()) }));
      }
      if (pathname === "/zipped") {
        return new Response(Bun.gzipSync(body), { headers: { "content-encoding": "gzip" } });
      }
      if (pathname === "/file.tar.gz") {
        return new Response(body, { headers: { "content-encoding": "x-gzip" } });
      }
      if (pathname === "/loop") return Response.redirect("/loop", 302);
      if (pathname === "/signed") return new Response("expired", { status: 403 });
      if (pathname.startsWith("/dir/")) return new Response(body);
      return new Response("no", { status: 404 });
    },
  });
  afterAll(() => server.stop(true));
  const at = (path: string): string => new URL(path, server.url).href;
  const pathOf = async (path: string): Promise<string> =>
    (await digestUrl(at(path), naming)).manifest.files[0]!.path;

  test("names the file safely", async () => {
    expect(await pathOf("/dir/setup%20one.bin")).toBe("setup one.bin");
    expect(await pathOf("/named")).toBe("My App.exe");
    expect(await pathOf("/utf8")).toBe("naïve.bin");
    expect(await pathOf("/evil")).toBe("evil");
    expect(await pathOf("/moved")).toBe("moved");
    expect(await pathOf("/dir/a%2Fb")).toBe("tool");
    expect(await pathOf("/file.tar.gz")).toBe("file.tar.gz");
  });

  test("makes the manifest of the file itself, with or without Content-Length", async () => {
    const file = join(root, "body.bin");
    writeFileSync(file, body);
    const { manifest } = await digestPath(file, naming);
    for (const path of ["/stream", "/dir/body.bin"]) {
      const fromUrl = (await digestUrl(at(path), naming)).manifest;
      expect(fromUrl.chunkDigests).toEqual(manifest.chunkDigests);
      expect(fromUrl.chunkSizeBytes).toBe(manifest.chunkSizeBytes);
    }
  });

  test("reports what is wrong with a web site", async () => {
    expect(digestUrl(at("/none"), naming)).rejects.toThrow("answered 404");
    expect(digestUrl(at("/zipped"), naming)).rejects.toThrow("Content-Encoding");
    expect(digestUrl(at("/loop"), naming)).rejects.toThrow("redirects more than 10 times");
    const signed = digestUrl(at("/signed?sig=secret"), naming).catch((error: Error) => error.message);
    expect(await signed).toMatch(/\/signed\?… answered 403 .*signature of the URL may have expired/);
    expect(digestUrl("http://127.0.0.1:1/x", naming)).rejects.toThrow("refuses connections");
    expect(digestUrl("http://me:pw@127.0.0.1:1/x", naming)).rejects.toThrow("credentials");
    expect(digestUrl("file:///etc/passwd", naming)).rejects.toThrow("neither http");
  });

  test("refuses a web site that sends less than it announced", async () => {
    const short = Bun.listen({
      port: 0,
      hostname: "127.0.0.1",
      socket: {
        data(socket) {
          socket.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort");
          socket.end();
        },
      },
    });
    try {
      await expect(digestUrl(`http://127.0.0.1:${short.port}/x`, naming)).rejects.toThrow(ManifestError);
    } finally {
      short.stop(true);
    }
  });

  test("names the address and type that answered, and whether the end of the file is proven", async () => {
    const moved = await digestUrl(at("/moved"), naming);
    expect(moved.content).toMatchObject({ lastUrl: at("/dir/setup%20one.bin"), isEndProven: true });
    expect((await digestUrl(at("/stream"), naming)).content.isEndProven).toBe(true);
    const old = Bun.listen({
      port: 0,
      hostname: "127.0.0.1",
      socket: {
        data(socket) {
          socket.end("HTTP/1.0 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\nhello");
        },
      },
    });
    try {
      const { content } = await digestUrl(`http://127.0.0.1:${old.port}/x?sig=secret`, naming);
      expect(content).toMatchObject({
        lastUrl: `http://127.0.0.1:${old.port}/x?…`,
        type: "text/html",
        isEndProven: false,
      });
    } finally {
      old.stop(true);
    }
  });
});
