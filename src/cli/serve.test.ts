import { describe, expect, test } from "bun:test";
import { makeProgress } from "./progress.ts";
import { beside } from "./serve.ts";

describe("beside", () => {
  test("a line of the log stands above the progress line, which comes back", () => {
    const written: string[] = [];
    const stream = { isTTY: true, columns: 80, write: (text: string) => written.push(text) };
    const progress = makeProgress(stream, { now: () => 0 });
    const say = (event: string) => stream.write(`${event}\n`);
    const log = beside(progress, { info: say, warn: say, error: say });
    progress.update("btc", 0.5, "train");
    log.info("one");
    log.warn("two");
    log.error("three");
    const screen = written.join("").replaceAll("\r\u001b[K", "|").split("|").filter(Boolean);
    const bar = "btc █████░░░░░ 50 % train";
    expect(screen).toEqual([bar, "one\n", bar, "two\n", bar, "three\n", bar]);
  });

  test("fields pass through unchanged", () => {
    const seen: unknown[] = [];
    const take = (...given: unknown[]) => seen.push(given);
    const log = beside({ beside: (write) => write() }, { info: take, warn: take, error: take });
    log.info("listening", { url: "http://127.0.0.1:1" });
    log.error("fatal");
    expect(seen).toEqual([
      ["listening", { url: "http://127.0.0.1:1" }],
      ["fatal", undefined],
    ]);
  });
});
