import { afterEach, describe, expect, test } from "bun:test";
import { type Answers, type Pace, startPacer } from "./pace.ts";

const versions: Answers[] = [
  { version: 1, digest: "a", probabilities: [0.1, 0.2] },
  { version: 2, digest: "b", probabilities: [0.3, 0.4] },
];

let server: ReturnType<typeof Bun.serve> | null = null;
afterEach(() => server?.stop(true));

/** A server that says what a function makes of the row asked about and of the count of requests. */
function serving(answer: (row: number, n: number) => Response): Pace {
  let n = 0;
  server = Bun.serve({
    ...{ hostname: "127.0.0.1", port: 0 },
    fetch: async (request) => answer(Number(await request.text()), n++),
  });
  const bodies = ["0", "1"];
  return { url: `${server.url}p`, rate: 200, connections: 4, seconds: 0.5, bodies, versions };
}

const saying = (version: number, row: number, digest?: string): Response => {
  const own = versions[version - 1]!;
  const model = { version, digest: digest ?? own.digest };
  return Response.json({ model, predictions: [{ probability: own.probabilities[row] }] });
};

describe("the pacing process", () => {
  test("asks at its rate and finds nothing wrong with right answers", async () => {
    const paced = await startPacer(serving((row, n) => saying((n % 2) + 1, row))).done;
    // A second of warming up comes before the half that is counted.
    expect(paced).toMatchObject({ sent: 300, answered: 300, failed: 0, wrong: 0, faults: [] });
    expect(paced.byVersion).toEqual({ 1: 150, 2: 150 });
    expect(paced.p50).toBeGreaterThan(0);
    expect(paced.longest).toBeGreaterThanOrEqual(paced.p50 - 0.01);
  });

  test("counts what failed and what is another version's or another row's", async () => {
    const faulty: Readonly<Record<number, (row: number) => Response>> = {
      10: () => new Response("no", { status: 503 }),
      20: (row) => saying(1, 1 - row),
      30: (row) => saying(2, row, "a"),
      40: (row) => Response.json({ model: { version: 3, digest: "c" }, predictions: [row] }),
    };
    const pace = serving((row, n) => faulty[n]?.(row) ?? saying(1, row));
    const paced = await startPacer(pace).done;
    expect(paced).toMatchObject({ sent: 300, answered: 300, failed: 1, wrong: 3 });
    expect(paced.faults.join("\n")).toMatch(/^503: no$/m);
    expect(paced.faults.join("\n")).toMatch(/version 1 said 0\.[12] of row [01]/);
  });

  test("a version that is champion no more may answer for a second and no longer", async () => {
    const pacer = startPacer({ ...serving((row) => saying(1, row)), seconds: 1 });
    pacer.tell({ champions: [2] });
    const { wrong, answered } = await pacer.done;
    expect(answered).toBe(400);
    expect(wrong).toBeGreaterThan(100);
    expect(wrong).toBeLessThan(250);
  });

  test("a server that is gone fails every request", async () => {
    const pace = serving((row) => saying(1, row));
    const pacer = startPacer(pace);
    await Bun.sleep(600);
    await server?.stop(true);
    const { failed, answered, sent } = await pacer.done;
    expect(answered).toBe(sent);
    expect(failed).toBeGreaterThan(50);
  });
});
