import { afterEach, describe, expect, test } from "bun:test";
import { SluiceError } from "../errors.ts";
import { fakeIo, heldFolder, problemAnswer } from "./fixtures.ts";
import { withSession } from "./session.ts";

const disposals: (() => unknown)[] = [];
afterEach(async () => {
  for (const dispose of disposals.splice(0)) await dispose();
});

/** A terminal on which both streams are seen, in their order. */
function screen(answers: Parameters<typeof heldFolder>[0] = {}) {
  const folder = heldFolder(answers);
  disposals.push(folder.dispose);
  const seen: string[] = [];
  const errors = { isTTY: true, columns: 80, write: (text: string) => seen.push(text) };
  const print = async (text: string) => {
    seen.push(`${text}\n`);
  };
  const io = { ...fakeIo(folder.environment), errors, print };
  return { io, seen: () => seen.join("").replaceAll("\r\u001b[K", "|") };
}

describe("withSession", () => {
  test("an answer never follows a bar on its line", async () => {
    const { io, seen } = screen();
    await withSession(io, async ({ update, note, print }) => {
      update("btc", 0.5, "train");
      note("a line");
      await print("the answer");
    });
    const bar = "btc █████░░░░░ 50 % train";
    expect(seen()).toBe(`|${bar}|a line\n|${bar}|the answer\n`);
  });

  test("gives what the work gives, and takes the bar away", async () => {
    const { io, seen } = screen();
    const given = await withSession(io, async ({ update }) => {
      update("btc", 0.5, "");
      return 7;
    });
    expect(given).toBe(7);
    expect(seen()).toEndWith("|");
  });

  test("what the work throws passes through, and the bar is taken away too", async () => {
    const { io, seen } = screen();
    const failure = new SluiceError({ code: "x", detail: "No." });
    const work = withSession(io, async ({ update }) => {
      update("btc", 0.5, "");
      throw failure;
    });
    await expect(work).rejects.toBe(failure);
    expect(seen()).toEndWith("|");
  });

  test("says once why it waits, however often it has to", async () => {
    const starting = problemAnswer(
      503,
      { code: "starting", detail: "The database is opening." },
      { "retry-after": "0.02" },
    );
    const { io, seen } = screen({ "GET /x": [starting, starting, starting, {}] });
    await withSession(io, ({ call }) => call("GET", "/x"));
    expect(seen()).toBe("waiting: The database is opening.\n");
  });

  test("knows the configuration, and refuses a wrong one before anything else", async () => {
    const { io } = screen();
    const data = await withSession(io, async ({ config }) => config.data);
    expect(data).toBe(io.environment["SLUICE_DATA"]!);
    const wrong = { ...io, environment: { SLUICE_PORT: "x" } };
    const thrown = await withSession(wrong, async () => 0).catch((t) => t);
    expect(thrown.code).toBe("invalid_configuration");
  });
});
