import { afterAll, describe, expect, test } from "bun:test";
import { createConnection, type Socket } from "node:net";
import { SluiceError } from "../errors.ts";
import { WAIT_MS, until as waitUntil } from "../testing.ts";
import { rowsOfJson } from "./instances.ts";
import { type LongAnswer, longOf } from "./long.ts";
import { answerLines, type LineOptions, lineAnswer } from "./ndjson.ts";
import { makeLineSplitter } from "./ndjson-lines.ts";
import { makeTidy } from "./ndjson-memory.ts";
import { type AnswerRows, rowAnswers } from "./ndjson-rows.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

function linesOf(pieces: readonly Uint8Array[], limit?: number): string[] {
  const lines: string[] = [];
  const splitter = makeLineSplitter((line) => lines.push(line), limit);
  for (const piece of pieces) splitter.push(piece);
  splitter.end();
  return lines;
}

describe("lines", () => {
  const text = '{"a":1}\n\n{"b":"é😀"}\r\n{"c":3}\n\n{"d":4}';
  const wanted = ['{"a":1}', "", '{"b":"é😀"}\r', '{"c":3}', "", '{"d":4}'];

  test("are the same however the bytes are cut", () => {
    const bytes = bytesOf(text);
    for (let size = 1; size <= bytes.length; size++) {
      const pieces: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.slice(at, at + size));
      expect(linesOf(pieces)).toEqual(wanted);
    }
  });

  test("a line feed at the end begins no further line", () => {
    expect(linesOf([bytesOf("a\n")])).toEqual(["a"]);
    expect(linesOf([])).toEqual([]);
  });

  test("have a bound, whole or in pieces", () => {
    const long = bytesOf(`ok\n${"x".repeat(100)}\n`);
    const thrown = (pieces: readonly Uint8Array[]) => {
      try {
        return linesOf(pieces, 50);
      } catch (error) {
        return (error as SluiceError).code;
      }
    };
    expect(thrown([long])).toBe("line_too_long");
    expect(thrown([long.slice(0, 40), long.slice(40, 80), long.slice(80)])).toBe("line_too_long");
    expect(thrown([long.slice(0, 53)])).toEqual(["ok", "x".repeat(50)]);
  });

  test("that are text are given before the one that is not", () => {
    const lines: string[] = [];
    const splitter = makeLineSplitter((line) => lines.push(line));
    const bytes = Uint8Array.of(...bytesOf("a\nb\n"), 0xff, ...bytesOf("\nc\n"));
    expect(() => splitter.push(bytes)).toThrow("not UTF-8");
    expect(lines).toEqual(["a", "b"]);
  });
});

describe("memory", () => {
  test("is collected where it has grown, once in so many rows", () => {
    let rss = 100e6;
    let collected = 0;
    const collect = () => {
      collected++;
    };
    const tidy = makeTidy(() => rss, collect);
    const after = (growth: number, rows: number) => {
      rss += growth;
      tidy(rows);
      return collected;
    };
    expect([after(10e6, 50_000), after(0, 50_000)]).toEqual([0, 0]);
    expect([after(10e6, 1_000), after(0, 30_000), after(0, 9_000)]).toEqual([0, 0, 1]);
    expect([after(0, 30_000), after(-10e6, 10_000), after(10e6, 50_000)]).toEqual([1, 1, 2]);
  });
});

/** Answers rows of one column `x` with its double; what is 13 makes the model fail. */
const doubling = (sizes: number[] = []): AnswerRows =>
  rowAnswers(async (instances) => {
    const { features, rows } = rowsOfJson({ instances }, ["x"]);
    sizes.push(rows);
    if (features.includes(13)) throw notFinite;
    return Array.from(features, (x) => ({ id: "none", value: 2 * x }));
  });
const notFinite = new SluiceError({ code: "non_finite_output", detail: "It is no number." });

/** A body that comes piece by piece; a number waits so many milliseconds. */
const bodyOf = (pieces: Iterable<string | number | Error>): ReadableStream<Uint8Array> => {
  const iterator = pieces[Symbol.iterator]();
  return new ReadableStream({
    pull: async (controller) => {
      const next = iterator.next();
      if (next.done === true) controller.close();
      else if (next.value instanceof Error) controller.error(next.value);
      else if (typeof next.value === "number") await Bun.sleep(next.value);
      else controller.enqueue(bytesOf(next.value));
    },
  });
};

type Given = string | Iterable<string | number | Error>;

const requestOf = (given: Given): Request =>
  new Request("http://localhost/", {
    method: "POST",
    body: typeof given === "string" ? given : bodyOf(given),
  });

/** All lines of the answer, parsed, and the pieces in which they came. */
async function ask(given: Given, options: Partial<LineOptions> = {}) {
  const pieces = await Array.fromAsync(
    answerLines(requestOf(given), { answer: doubling(), requestId: "r1", ...options }),
  );
  const text = pieces.join("");
  expect(text === "" || text.endsWith("\n")).toBeTrue();
  const written = text.split("\n").slice(0, -1);
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely.
  const lines = written.map((line): any => JSON.parse(line));
  return { lines, pieces };
}

describe("answers", () => {
  test("come in the order of the rows, with ids of one stream", async () => {
    const rows = Array.from({ length: 5_000 }, (_, x) => `{"x":${x}}`.replace("13}", "130}"));
    const sizes: number[] = [];
    const { lines } = await ask(rows.join("\n"), { answer: doubling(sizes) });
    expect(lines).toHaveLength(5_000);
    expect(lines.map(({ value }) => value)).toEqual(rows.map((row) => 2 * JSON.parse(row).x));
    const [stream] = lines[0].id.split(/-0$/);
    expect(lines.every(({ id }, row) => id === `${stream}-${row}`)).toBeTrue();
    expect(Math.max(...sizes)).toBe(256);
  });

  test("empty lines are passed over, and no rows have no answer", async () => {
    expect((await ask('\n\r\n  \n{"x":1}\n\n{"x":2}\r\n')).lines).toHaveLength(2);
    expect((await ask("")).lines).toEqual([]);
    expect((await ask("\n\n")).lines).toEqual([]);
  });

  test("a faulty row fails alone, whatever is wrong with it", async () => {
    const { lines } = await ask(
      ['{"x":1}', '{"x":"two"}', "{x:3}", '{"x":13}', "[]", '{"y":6}', '{"x":7}'].join("\n"),
    );
    expect(lines[0].value).toBe(2);
    expect(lines[1]).toEqual({
      row: 1,
      error: {
        code: "invalid_instances",
        detail: 'The row is not accepted: x: expected a number or null, not "two".',
        faults: [{ path: "x", message: 'expected a number or null, not "two"' }],
      },
    });
    expect(lines[2]).toMatchObject({ row: 2, error: { code: "bad_json" } });
    expect(lines[2].error.detail).toStartWith("The line is no JSON: ");
    expect(lines[3]).toEqual({
      row: 3,
      error: { code: "non_finite_output", detail: "It is no number." },
    });
    expect(lines[4].error.faults).toEqual([
      { path: "", message: "expected an object of columns, not an array" },
    ]);
    expect(lines[5]).toMatchObject({ row: 5, error: { code: "invalid_instances" } });
    expect(lines[6].value).toBe(14);
    expect(lines).toHaveLength(7);
  });

  test("a body of nothing but faulty rows has an error a row", async () => {
    const { lines } = await ask('{"x":null,"z":1}\n'.repeat(2_000));
    expect(lines.map(({ row }) => row)).toEqual(Array.from({ length: 2_000 }, (_, row) => row));
  });

  test("what is no row's fault ends them with a last line", async () => {
    const rows = '{"x":1}\n'.repeat(3);
    const codeOf = async (given: Given, options: Partial<LineOptions> = {}) => {
      const thrown: unknown[] = [];
      const { lines } = await ask(given, { ...options, onError: (error) => thrown.push(error) });
      expect(thrown).toHaveLength(1);
      expect(lines.slice(0, -1).every(({ value }) => value === 2)).toBeTrue();
      expect(Object.keys(lines.at(-1))).toEqual(["error"]);
      return [lines.length - 1, lines.at(-1).error.code];
    };
    expect(await codeOf([rows, 30, new Error("gone")])).toEqual([3, "body_cut"]);
    expect(await codeOf([`${rows}{"x":`, 1_000], { silenceMs: 50 })).toEqual([3, "slow_body"]);
    expect(await codeOf([rows, rows], { limit: 30 })).toEqual([3, "body_too_large"]);
    expect(await codeOf(rows + "x".repeat(2 ** 20 + 1))).toEqual([3, "line_too_long"]);
    expect(await codeOf([rows, 1_000, rows], { deadlineMs: 500 })).toEqual([
      3,
      "deadline_exceeded",
    ]);
    const trickle = Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? "{" : 5));
    expect(await codeOf(trickle, { deadlineMs: 60 })).toEqual([0, "deadline_exceeded"]);
    expect(await codeOf([rows, "\n", 1_000, "\n"], { deadlineMs: 500 })).toEqual([
      ...[3, "deadline_exceeded"],
    ]);
    const broken = async () => {
      throw new TypeError("secret");
    };
    expect(await codeOf(rows, { answer: broken })).toEqual([0, "internal_error"]);
  });

  test("a server that has too much to do is asked again, until the deadline", async () => {
    let times = 0;
    const busy: AnswerRows = async (values) => {
      times++;
      if (times < 3) {
        throw new SluiceError({ code: "queue_full", detail: "Too many.", retryAfter: 0.02 });
      }
      return doubling()(values);
    };
    expect((await ask('{"x":1}\n{"x":2}', { answer: busy })).lines).toHaveLength(2);
    times = -1e9;
    const { lines } = await ask('{"x":1}', { answer: busy, deadlineMs: 600 });
    expect(lines).toMatchObject([{ error: { code: "queue_full" } }]);
  });

  test("rows that have come do not wait for those that have not", async () => {
    const { pieces } = await ask(['{"x":1}\n{"x":2}\n{"x"', 500, ':3}\n{"x":4}', 500]);
    expect(pieces.map((piece) => piece.split("\n").length - 1)).toEqual([2, 1, 1]);
  });
});

describe("over a connection", () => {
  const sockets: Socket[] = [];
  const made: (LongAnswer & { taken: number })[] = [];
  const server = Bun.serve({
    ...{ hostname: "127.0.0.1", port: 0, maxRequestBodySize: 1024 ** 3 },
    fetch: (request) => {
      const silenceMs = Number(new URL(request.url).searchParams.get("silence") ?? 5_000);
      const one = { taken: 0 };
      const twice = doubling();
      const answer: AnswerRows = (values) => {
        one.taken += values.length;
        return twice(values);
      };
      const texts = answerLines(request, { answer, requestId: "r1", silenceMs: 5_000 });
      const long = lineAnswer(texts, { headers: {}, silenceMs });
      expect(longOf(long.response)).toBe(long);
      expect(longOf(new Response())).toBeNull();
      made.push(Object.assign(one, long));
      return long.response;
    },
  });
  afterAll(async () => {
    for (const socket of sockets) socket.destroy();
    await server.stop(true);
  });

  /** A request whose body is sent, and whose answer is read, by hand. */
  function connect(query = "") {
    const socket = createConnection(server.port!, "127.0.0.1");
    sockets.push(socket);
    let text = "";
    socket.on("data", (data) => {
      text += data;
    });
    socket.on("error", () => {});
    socket.write(`POST /${query} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n`);
    const send = (rows: string) =>
      socket.write(`${Buffer.byteLength(rows).toString(16)}\r\n${rows}\r\n`);
    const until = async (what: string | RegExp) => {
      await waitUntil(() => text.search(what) !== -1, WAIT_MS, `${what}`, 10);
      return text;
    };
    return { socket, send, until };
  }

  test("a row is answered while the next has not been sent", async () => {
    const { socket, send, until } = connect();
    for (const x of [1, 2, 3]) {
      send(`{"x":${x}}\n`);
      expect(await until(`"value":${2 * x}`)).toContain(`"value":${2 * x}`);
    }
    socket.write("0\r\n\r\n");
    expect(await until(/\r\n0\r\n\r\n$/)).toEndWith("0\r\n\r\n");
    await made.at(-1)!.ended;
  });

  test("who reads nothing is not read from, and in the end told so", async () => {
    const { socket, send, until } = connect("?silence=400");
    socket.pause();
    const rows = '{"x":1}\n'.repeat(8_192);
    let sent = 0;
    // As long as the kernel takes them; 100 are 50 MB.
    while (sent < 800 && (send(rows) || (await drained(socket)))) sent++;
    expect(sent).toBeLessThan(800);
    await made.at(-1)!.ended;
    expect(made.at(-1)!.taken).toBeLessThan(sent * 8_192);
    socket.resume();
    expect(await until("slow_reader")).toContain('"code":"slow_reader"');
  });

  test("it can be stopped in the middle, with a line that says why", async () => {
    const { send, until } = connect();
    send('{"x":1}\n');
    await until('"value":2');
    const long = made.at(-1)!;
    const error = new SluiceError({ code: "stopping", detail: "The server is stopping." });
    long.stop(error);
    long.stop(error);
    expect(await until(/\r\n0\r\n\r\n$/)).toContain('{"error":{"code":"stopping"');
    send('{"x":2}\n');
    await long.ended;
    expect(long.taken).toBe(1);
  });

  test("who goes away frees what answers", async () => {
    for (const rows of ['{"x":1}\n', '{"x"', ""]) {
      const { socket, send } = connect();
      const before = made.length;
      if (rows !== "") send(rows);
      while (made.length === before) await Bun.sleep(5);
      await Bun.sleep(20);
      socket.destroy();
      await made.at(-1)!.ended;
    }
  });
});

/** Whether the socket takes more within some time. */
const drained = (socket: Socket): Promise<boolean> =>
  Promise.race([
    new Promise<boolean>((resolve) => socket.once("drain", () => resolve(true))),
    Bun.sleep(150).then(() => false),
  ]);
