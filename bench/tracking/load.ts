/*
 * Requests over connections that stay open, each of which asks again as soon as it is answered. As
 * little is done here as can be: it shares two cores with the server and its database.
 */

import { openConnection } from "../serve/connection.ts";
import { median } from "../serve/table.ts";

/** A call, ready to be sent. */
export interface Call {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: string;
}

export interface Load {
  /** Those that were answered with success; rate and times are of these. */
  readonly requests: number;
  readonly failed: number;
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** A call as the bytes of HTTP/1.1. */
export function bytesOf(
  { host }: URL,
  headers: Readonly<Record<string, string>>,
  { method, path, body = "" }: Call,
): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const length = method === "GET" ? "" : `content-length: ${Buffer.byteLength(body)}\r\n`;
  return Buffer.from(
    `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n${lines.join("")}${length}\r\n${body}`,
  );
}

/**
 * Asks for so long over so many connections; `next` makes the request that a connection sends next.
 * Throws when nothing was answered with success.
 */
export async function loadBy(
  url: URL,
  connections: number,
  seconds: number,
  next: (connection: number) => Buffer,
): Promise<Load> {
  const all = await Promise.all(Array.from({ length: connections }, () => openConnection(url)));
  const times: number[] = [];
  const faults: string[] = [];
  const begun = performance.now();
  const end = begun + seconds * 1_000;
  try {
    await Promise.all(
      all.map(
        (connection, i) =>
          new Promise<void>((resolve) => {
            const ask = () => {
              const request = next(i);
              const from = performance.now();
              connection.ask(request, (answer) => {
                const now = performance.now();
                if (typeof answer === "string") faults.push(answer);
                else times.push(now - from);
                if (now < end) ask();
                else resolve();
              });
            };
            ask();
          }),
      ),
    );
  } finally {
    for (const connection of all) connection.end();
  }
  const took = performance.now() - begun;
  const [fault] = faults;
  if (fault !== undefined)
    console.error(`failed: ${faults.length}, such as ${fault.slice(0, 300)}`);
  if (times.length === 0) throw new Error(`no right answer: ${fault?.slice(0, 500)}`);
  const sorted = times.sort((a, b) => a - b);
  return {
    ...{ requests: sorted.length, failed: faults.length },
    perSecond: (sorted.length * 1_000) / took,
    p50: median(sorted),
    p99: sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN,
  };
}
