import { describe, expect, test } from "bun:test";
import { stopwatch, until, WAIT_MS } from "../testing.ts";
import { makeProgress } from "./progress.ts";

const CLEAR = "\r\u001b[K";

/** A terminal that remembers, and a clock that the test moves. */
function terminal(columns = 80, isTTY = true) {
  const written: string[] = [];
  const clock = { now: 0 };
  return {
    written,
    clock,
    stream: { isTTY, columns, write: (text: string) => written.push(text) },
    /** What a reader sees on the line now. */
    line: () => written.join("").split(CLEAR).at(-1) ?? "",
    now: () => clock.now,
  };
}

describe("on a terminal", () => {
  test("one line with a bar, the share and where it is", () => {
    const t = terminal();
    const progress = makeProgress(t.stream, { now: t.now });
    progress.update("btc collect", 0.43, "2023-04-01");
    expect(t.line()).toBe("btc collect ████░░░░░░ 43 % 2023-04-01");
    expect(t.written.join("")).not.toContain("\n");
  });

  test("a bar for each piece of work, until it has ended", () => {
    const t = terminal();
    const progress = makeProgress(t.stream, { now: t.now });
    progress.update("btc", 0.5, "collect");
    t.clock.now += 100;
    progress.update("eth", 0.25, "train");
    expect(t.line()).toBe("btc █████░░░░░ 50 % collect  eth ██░░░░░░░░ 25 % train");
    t.clock.now += 100;
    progress.update("btc", 1, "done");
    expect(t.line()).toBe("eth ██░░░░░░░░ 25 % train");
    t.clock.now += 100;
    progress.update("eth", 1, "done");
    expect(t.line()).toBe("");
  });

  test("at most ten redraws a second, and the last state is drawn all the same", async () => {
    const t = terminal();
    const watch = stopwatch();
    const progress = makeProgress(t.stream);
    for (let i = 0; i < 1_000; i++) progress.update("btc", i / 1_000, `row ${i}`);
    expect(t.written.length).toBeLessThanOrEqual(2 + watch.ms() / 100);
    await until(() => t.line().endsWith("row 999"), WAIT_MS, "the last is drawn", 10);
    expect(t.line()).toBe("btc █████████░ 99 % row 999");
    expect(t.written.length).toBeLessThanOrEqual(3 + watch.ms() / 100);
    progress.done();
  });

  test("is cut to the width, so that it never wraps", () => {
    const t = terminal(20);
    const progress = makeProgress(t.stream, { now: t.now });
    progress.update("btc collect", 0.43, "가나다라마바사");
    expect(Bun.stringWidth(t.line())).toBeLessThanOrEqual(19);
    expect(t.line()).toEndWith("…");
  });

  test("a terminal that says it has no columns is taken for a usual one", () => {
    const t = terminal(0);
    makeProgress(t.stream, { now: t.now }).update("btc collect", 0.43, "2023-04-01");
    expect(t.line()).toBe("btc collect ████░░░░░░ 43 % 2023-04-01");
  });

  test("nothing is left at the end, and nothing is drawn later", async () => {
    const t = terminal();
    const progress = makeProgress(t.stream);
    progress.update("btc", 0.1, "");
    progress.update("btc", 0.2, "");
    progress.done();
    expect(t.line()).toBe("");
    const count = t.written.length;
    await Bun.sleep(150);
    expect(t.written).toHaveLength(count);
  });

  test("gives way to what is written beside it and comes back below", () => {
    const t = terminal();
    const progress = makeProgress(t.stream, { now: t.now });
    progress.update("btc", 0.5, "");
    progress.beside(() => t.stream.write("a line\n"));
    const bar = "btc █████░░░░░ 50 %";
    expect(t.written.join("")).toBe(`${CLEAR}${bar}${CLEAR}a line\n${CLEAR}${bar}`);
  });

  test("takes shares from outside 0 to 1 and no numbers without breaking", () => {
    const t = terminal();
    const progress = makeProgress(t.stream, { now: t.now });
    progress.update("a", Number.NaN, "");
    expect(t.line()).toBe("a ░░░░░░░░░░ 0 %");
    t.clock.now += 100;
    progress.update("a", -3, "\u001b[2Jx\ny");
    expect(t.line()).toBe("a ░░░░░░░░░░ 0 %  [2Jx y");
    t.clock.now += 100;
    progress.update("a", 7, "");
    expect(t.line()).toBe("");
  });
});

describe("without a terminal", () => {
  test("a line at each quarter when lines are wanted", () => {
    const t = terminal(80, false);
    const progress = makeProgress(t.stream, { now: t.now, lines: true });
    for (let i = 0; i <= 100; i++) progress.update("btc", i / 100, `row ${i}`);
    expect(t.written).toEqual([
      "btc 25 % row 25\n",
      "btc 50 % row 50\n",
      "btc 75 % row 75\n",
      "btc 100 % row 100\n",
    ]);
  });

  test("a jump tells one line, and work that begins again tells anew", () => {
    const t = terminal(80, false);
    const progress = makeProgress(t.stream, { now: t.now, lines: true });
    progress.update("btc", 0.8, "");
    progress.update("btc", 0.3, "");
    progress.update("btc", 1, "");
    progress.update("btc", 0.3, "");
    expect(t.written).toEqual(["btc 80 %\n", "btc 100 %\n", "btc 30 %\n"]);
  });

  test("nothing at all otherwise", () => {
    const t = terminal(80, false);
    const progress = makeProgress(t.stream, { now: t.now });
    progress.update("btc", 0.8, "");
    progress.update("btc", 1, "");
    progress.done();
    expect(t.written).toEqual([]);
  });
});
