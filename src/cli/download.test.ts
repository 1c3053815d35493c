import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SluiceError } from "../errors.ts";
import { type Download, download } from "./download.ts";

const CONTENT = "a,b\n".repeat(1_000);
const SHA256 = new Bun.CryptoHasher("sha256").update(CONTENT).digest("hex");

let folder: string;
let server: ReturnType<typeof Bun.serve>;
let other: ReturnType<typeof Bun.serve>;
/** A server that says a length and then sends what it likes, byte by byte. */
let raw: Bun.TCPSocketListener<undefined>;
let rawAnswer: (write: (text: string) => void, end: () => void) => void = () => {};
const asked: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-download-"));
  other = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response(CONTENT) });
  server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => {
      const { pathname } = new URL(request.url);
      asked.push(pathname);
      const to = (location: string) => new Response(null, { status: 302, headers: { location } });
      if (pathname === "/good") return new Response(CONTENT);
      if (pathname === "/moved") return to("/good");
      if (pathname === "/round") return to("/round");
      if (pathname === "/away") return to(`http://127.0.0.1:${other.port}/good`);
      if (pathname === "/file") return to("file:///etc/hostname");
      return new Response("no", { status: 404 });
    },
  });
  raw = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data: (socket) =>
        rawAnswer(
          (text) => void socket.write(text),
          () => void socket.end(),
        ),
    },
  });
});
afterAll(async () => {
  raw.stop(true);
  await server.stop(true);
  await other.stop(true);
  await rm(folder, { recursive: true, force: true });
});
let count = 0;
let to = "";
afterEach(() => {
  asked.length = 0;
});

async function get(url: string, more: Partial<Download> = {}): Promise<string> {
  to = join(folder, `${++count}`);
  try {
    await download({ url, sha256: SHA256, to, ...more });
    return await Bun.file(to).text();
  } catch (thrown) {
    // Whatever went wrong, nothing stays behind.
    expect(existsSync(to)).toBe(false);
    if (thrown instanceof SluiceError) return `${thrown.code}: ${thrown.message}`;
    throw thrown;
  }
}
const at = (path: string) => `http://127.0.0.1:${server.port}${path}`;
const rawAt = () => `http://127.0.0.1:${raw.port}/x`;

describe("a download", () => {
  test("is the promised bytes, told as they come", async () => {
    const told: [number, number | null][] = [];
    const text = await get(at("/good"), { onProgress: (bytes, of) => told.push([bytes, of]) });
    expect(text).toBe(CONTENT);
    expect(told.at(-1)).toEqual([CONTENT.length, CONTENT.length]);
  });

  test("of other bytes is thrown away", async () => {
    const text = await get(at("/good"), { sha256: "0".repeat(64) });
    expect(text).toStartWith("digest_mismatch: ");
    expect(text).toContain(SHA256);
  });

  test("follows a redirect on its host, and none off it", async () => {
    expect(await get(at("/moved"))).toBe(CONTENT);
    expect(await get(at("/away"))).toStartWith("download_redirected: ");
    expect(await get(at("/file"))).toStartWith("download_redirected: ");
    expect(await get(at("/round"))).toContain("more than 5 redirects");
    expect(asked.filter((path) => path === "/round")).toHaveLength(6);
  });

  test("that is not there, or whose server is not, has failed", async () => {
    expect(await get(at("/none"))).toContain("download_failed");
    expect(await get(at("/none"))).toContain("404");
    expect(await get("http://127.0.0.1:1/x")).toContain("download_failed");
  });

  test("is bounded in size, announced or not", async () => {
    expect(await get(at("/good"), { mostBytes: 100 })).toContain("larger than 100 bytes");
    rawAnswer = (write, end) => {
      write(`HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n${CONTENT}`);
      end();
    };
    expect(await get(rawAt(), { mostBytes: 100 })).toContain("larger than 100 bytes");
    expect(await get(rawAt())).toBe(CONTENT);
  });

  test("that is cut has failed", async () => {
    rawAnswer = (write, end) => {
      write(`HTTP/1.1 200 OK\r\ncontent-length: ${CONTENT.length}\r\n\r\n${CONTENT.slice(0, 99)}`);
      setTimeout(end, 20);
    };
    expect(await get(rawAt())).toStartWith("download_failed: ");
  });

  test("that falls silent, or takes too long, has failed", async () => {
    rawAnswer = (write) => write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc");
    expect(await get(rawAt(), { silenceMs: 60 })).toContain("nothing came for 0.06 s");
    expect(await get(rawAt(), { deadlineMs: 60 })).toContain("not done in 0.06 s");
  });
});
