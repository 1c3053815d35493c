/*
 * The real server over raw sockets: what clients that keep no rules meet.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { stopwatch, WAIT_MS, until as waitUntil } from "../testing.ts";
import { type Server, startServer } from "./server.ts";
import type { HttpServices } from "./services.ts";
import { config, makeWorld, servicesOf } from "./testing.ts";

const log = { info: () => {}, warn: () => {}, error: () => {} };
const started: Server[] = [];

function start(services: () => HttpServices | null, bodyMs?: number): Server {
  const starting = () => "nothing is open yet";
  const slow = bodyMs === undefined ? {} : { bodyMs };
  const server = startServer({ config, log, services, starting, ...slow });
  started.push(server);
  return server;
}

afterAll(async () => {
  await Promise.all(started.map((server) => server.stop(0)));
});

interface Socket {
  send(text: string): void;
  /** What has come so far. */
  readonly text: () => string;
  readonly closed: () => boolean;
  end(): void;
}

async function connect({ url }: Server): Promise<Socket> {
  const { hostname, port } = new URL(url);
  let text = "";
  let closed = false;
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      data: (_, data) => {
        text += data.toString();
      },
      close: () => {
        closed = true;
      },
      error: () => {},
    },
  });
  return {
    send: (more) => void socket.write(more),
    text: () => text,
    closed: () => closed,
    end: () => void socket.end(),
  };
}

const until = (condition: () => boolean, what: string) => waitUntil(condition, WAIT_MS, what, 5);

/** The status line of the answer to one raw request, once the connection is closed or answered. */
async function statusOf(server: Server, request: string): Promise<number> {
  const socket = await connect(server);
  socket.send(request);
  await until(() => socket.text().includes("\r\n\r\n") || socket.closed(), request.slice(0, 60));
  socket.end();
  return Number(socket.text().split(" ")[1]);
}

const post = (headers: string, body = "") =>
  [
    "POST /v1/models/btc/predict HTTP/1.1",
    "Host: x",
    "Content-Type: application/json",
    `${headers}\r\n\r\n${body}`,
  ].join("\r\n");
const GOOD = '{"instances":[{"ret_1":1,"ret_2":null}]}';

describe("clients that keep no rules", () => {
  const world = makeWorld();
  const services = servicesOf(world);
  const server = start(() => services);

  test.each([
    ["a length that is no number", post("Content-Length: abc", "{}"), 400],
    ["a negative length", post("Content-Length: -1", "{}"), 400],
    [
      "two kinds of length",
      post("Content-Length: 2\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
      400,
    ],
    ["a length over the limit", post("Content-Length: 8388609", "{"), 413],
    ["a length far over it", post("Content-Length: 999999999999", "{"), 413],
    ["no host", "GET /healthz HTTP/1.1\r\n\r\n", 400],
    ["a good one", post(`Content-Length: ${GOOD.length}`, GOOD), 200],
    [
      "a good one in chunks",
      post("Transfer-Encoding: chunked", `${GOOD.length.toString(16)}\r\n${GOOD}\r\n0\r\n\r\n`),
      200,
    ],
    ["an address of another host", "GET http://evil/admin/tokens HTTP/1.1\r\nHost: x\r\n\r\n", 401],
    ["a way back up", "GET /v1/../admin/tokens HTTP/1.1\r\nHost: x\r\n\r\n", 401],
  ])("%s", async (_, request, status) => {
    expect(await statusOf(server, request)).toBe(status);
  });

  test("too much in chunks is cut off with a problem", async () => {
    const socket = await connect(server);
    socket.send(post("Transfer-Encoding: chunked"));
    const chunk = `100000\r\n${" ".repeat(0x100000)}\r\n`;
    for (let i = 0; i < 9 && !socket.closed(); i++) {
      socket.send(chunk);
      await Bun.sleep(20);
    }
    await until(() => socket.text().includes("body_too_large") || socket.closed(), "413");
    socket.end();
    const ok = await fetch(`${server.url}/healthz`);
    expect(ok.status).toBe(200);
  });

  test("a chunk with an extension of a mebibyte is not waited for (V12)", async () => {
    const socket = await connect(server);
    socket.send(`${post("Transfer-Encoding: chunked")}2;x=`);
    for (let i = 0; i < 16 && !socket.closed(); i++) {
      socket.send("y".repeat(0x10000));
      await Bun.sleep(5);
    }
    await until(socket.closed, "the connection to be closed");
    expect(socket.text()).toMatch(/^HTTP\/1\.1 4(?:00|13) /);
  });

  const LINE = "-".repeat(1_000_000);
  test.each([
    ["in the header", `multipart/form-data; boundary=${LINE}`, "{}", [400, 413, 431]],
    ["in the body", "multipart/form-data; boundary=-", `--${LINE}`, [415]],
    ["with a tail", "multipart/form-data; boundary=x", `--x\r\n\r\n--x${LINE}`, [415]],
  ])("a boundary of a megabyte of dashes %s costs nothing (V12)", async (_, type, body, wanted) => {
    const watch = stopwatch();
    const response = await fetch(`${server.url}/v1/models/btc/predict`, {
      ...{ method: "POST", headers: { "content-type": type }, body, keepalive: false },
    });
    expect(wanted).toContain(response.status);
    expect(watch.ms()).toBeLessThan(watch.promised(1_000));
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  });
});

describe("clients that take their time", () => {
  const BODY_MS = 400;
  const services = servicesOf(makeWorld());
  const server = start(() => services, BODY_MS);

  /** One byte at a time for as long as the other side lets it. */
  async function trickle(head: string, part: string): Promise<Socket> {
    const socket = await connect(server);
    socket.send(head);
    const timer = setInterval(() => {
      if (socket.closed()) clearInterval(timer);
      else socket.send(part);
    }, 50);
    const end = () => {
      clearInterval(timer);
      socket.end();
    };
    return { ...socket, end };
  }

  test.each([
    ["of a length that was told", post("Content-Length: 100", "{"), " "],
    ["in chunks", post("Transfer-Encoding: chunked"), "1\r\n \r\n"],
  ])("a body that comes byte by byte, %s, is given up at its deadline (V12)", async (...it) => {
    const [, head, part] = it;
    const begun = performance.now();
    const socket = await trickle(head, part);
    await until(socket.closed, "the connection to be closed");
    expect(socket.text()).toStartWith("HTTP/1.1 408 ");
    expect(socket.text()).toContain("slow_body");
    expect(performance.now() - begun).toBeGreaterThan(BODY_MS - 50);
    socket.end();
  });

  test("two hundred of them at once keep nobody waiting, whatever they dawdle at (V12)", async () => {
    const heads: readonly (readonly [string, string])[] = [
      [post("Content-Length: 100", "{"), " "],
      [post("Transfer-Encoding: chunked"), "1\r\n \r\n"],
      ["GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ", "a"],
      ["", "G"],
    ];
    const those = Array.from({ length: 200 }, (_, i) => trickle(...heads[i % heads.length]!));
    const slow = await Promise.all(those);
    const times: number[] = [];
    const watch = stopwatch();
    for (let i = 0; i < 40; i++) {
      const began = performance.now();
      const response = await fetch(`${server.url}/v1/models/btc/predict`, {
        ...{ method: "POST", headers: { "content-type": "application/json" }, body: GOOD },
      });
      expect(response.status).toBe(200);
      await response.json();
      times.push(performance.now() - began);
      await Bun.sleep(10);
    }
    // Nearly all: the machine may be busy with something else for a moment.
    expect(times.sort((a, b) => a - b)[36]).toBeLessThan(watch.promised(100));
    // Those with a body had theirs cut meanwhile.
    await until(() => slow.filter((socket) => socket.closed()).length >= 100, "bodies given up");
    for (const socket of slow) socket.end();
  });
});

describe("from start to stop", () => {
  test("it listens before anything is there, and answers when it is", async () => {
    const services = servicesOf(makeWorld());
    let open: HttpServices | null = null;
    const server = start(() => open);
    expect(new URL(server.url).port).not.toBe("0");
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
    const early = await fetch(`${server.url}/readyz`);
    expect([early.status, early.headers.get("retry-after")]).toEqual([503, "1"]);
    open = services;
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
  });

  test("once it is to leave it answers on, each connection ends with its answer", async () => {
    const services = servicesOf(makeWorld());
    const server = start(() => services);
    const kept = await connect(server);
    kept.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    await until(() => kept.text().includes("alive"), "an answer");
    server.leave();
    expect((await fetch(`${server.url}/readyz`)).status).toBe(503);
    expect((await fetch(`${server.url}/v1/models/btc/forecast`)).status).toBe(200);
    expect(kept.closed()).toBe(false);
    kept.send("GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n");
    await until(kept.closed, "the connection to close");
    const [, , second = ""] = kept.text().split("HTTP/1.1 ");
    expect(second).toStartWith("200 ");
    expect(second.toLowerCase()).toContain("connection: close");
    await server.stop(1_000);
    await expect(fetch(`${server.url}/healthz`)).rejects.toThrow();
  });

  test("what is under way ends, what is new is sent away, idle clients hold nothing", async () => {
    const world = makeWorld();
    const answer = world.forecast;
    const { promise: gate, resolve: release } = Promise.withResolvers<void>();
    let asked = false;
    world.forecast = () => {
      asked = true;
      return gate.then(answer);
    };
    const services = servicesOf(world);
    const server = start(() => services);
    const idle = await connect(server);
    idle.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    await until(() => idle.text().includes("alive"), "keep-alive");
    const slow = fetch(`${server.url}/v1/models/btc/forecast`);
    await until(() => asked, "the slow one is under way");
    const watch = stopwatch();
    const stopped = server.stop(5_000);
    const late = await fetch(`${server.url}/v1/models`);
    expect([late.status, ((await late.json()) as { code: string }).code]).toEqual([
      503,
      "stopping",
    ]);
    release();
    expect((await slow).status).toBe(200);
    await stopped;
    expect(watch.ms()).toBeLessThan(watch.promised(1_500));
    await until(idle.closed, "the idle connection to close");
    await expect(fetch(`${server.url}/healthz`)).rejects.toThrow();
  });

  test("what never ends is cut when the grace is over", async () => {
    let asked = false;
    const forecast = () => {
      asked = true;
      return new Promise<never>(() => {});
    };
    const services = servicesOf({ ...makeWorld(), forecast });
    const server = start(() => services);
    const hanging = fetch(`${server.url}/v1/models/btc/forecast`).then(
      (response) => response.status,
      () => "cut",
    );
    await until(() => asked, "it is under way");
    const watch = stopwatch();
    await server.stop(100);
    expect(watch.ms()).toBeLessThan(watch.promised(1_500));
    expect(await hanging).toBe("cut");
  });

  test("a port that is taken is told with what to do", () => {
    const first = start(() => null);
    const port = Number(new URL(first.url).port);
    const second = () =>
      startServer({ config: { ...config, port }, log, services: () => null, starting: () => "" });
    expect(second).toThrow(expect.objectContaining({ code: "port_unavailable" }));
  });
});
