/*
 * A large file up and down through the server's proxy, by curl: the same few instructions a byte for
 * both sides.
 */
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { runToEnd } from "../serve/python.ts";
import type { Running } from "./sides.ts";

export interface FileTimes {
  /** Bytes a second. */
  readonly up: number;
  readonly down: number;
  /** Processor time of the server for both, milliseconds. */
  readonly cpuMs: number;
}

/** A file of bytes that nothing makes smaller. */
export function makeFile(folder: string, bytes: number): string {
  const path = join(folder, "large");
  const file = openSync(path, "w");
  const piece = crypto.getRandomValues(new Uint8Array(65_536));
  const block = Buffer.concat(Array.from({ length: 16 }, () => piece));
  for (let written = 0; written < bytes; written += block.length) {
    block.writeUInt32LE(written / block.length, 0);
    writeSync(file, block, 0, Math.min(block.length, bytes - written));
  }
  closeSync(file);
  return path;
}

/** Sends the file as an artifact of a run and fetches it again; throws unless it is the same. */
export async function measureFile(
  server: Running,
  file: string,
  { experiment, run }: { experiment: string; run: string },
): Promise<FileTimes> {
  const path = `${experiment}/${run}/artifacts/large-${crypto.randomUUID()}`;
  const url = new URL(`/api/2.0/mlflow-artifacts/artifacts/${path}`, server.url).href;
  const back = `${file}.back`;
  const headers = Object.entries(server.side.headers)
    .filter(([name]) => name !== "content-type")
    .flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
  const base = ["curl", "--silent", "--show-error", "--fail", "-H", "expect:", ...headers];
  const curl = (...args: string[]) => runToEnd([...base, ...args, url]);
  const bytes = Bun.file(file).size;
  const timed = async (...args: string[]) => {
    const begun = performance.now();
    await curl(...args);
    return (bytes * 1_000) / (performance.now() - begun);
  };
  const before = server.cpuMs();
  const up = await timed("--upload-file", file);
  const down = await timed("--output", "/dev/null");
  const cpuMs = server.cpuMs() - before;
  await curl("--output", back);
  try {
    if ((await digestOf(back)) !== (await digestOf(file))) {
      throw new Error(`${server.side.title} gave another file back than it was sent.`);
    }
    await curl("--request", "DELETE");
  } finally {
    rmSync(back, { force: true });
  }
  return { up, down, cpuMs };
}

async function digestOf(path: string): Promise<string> {
  const hash = new Bun.CryptoHasher("sha256");
  for await (const piece of Bun.file(path).stream()) hash.update(piece);
  return hash.digest("hex");
}
