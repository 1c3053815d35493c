/*
 * Cases that befell other servers, tried on the program itself (docs/testing.md): batches of
 * nothing (V1), callers who are batched together (V3), numbers that are none (V7), the first
 * requests of a process (V9) and the last ones (V6). One table, learned once a store.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { makeRandom } from "../src/learn/random.ts";
import { LONG_MS, stopwatch, until } from "../src/testing.ts";
import { askRuns, askVersions, ended } from "./ask.ts";
import { asJson, type Launched, type Served, served } from "./served.ts";
import { slowly } from "./slowly.ts";
import { only, stores } from "./stores.ts";
import { openStory, type Story } from "./story.ts";

const PAY = `name = "pay"
kind = "table"
[[table.columns]]
name = "age"
type = "number"
integer = true
[[table.columns]]
name = "work"
type = "category"
[[table.columns]]
name = "hours"
type = "number"
[[table.columns]]
name = "pay"
type = "category"
[table.target]
column = "pay"
kind = "binary"
positive = "high"
negative = "low"
[train]
trainers = ["gbdt"]
[train.gbdt]
rounds = 30
leaves = 8
[evaluate]
test = "split"
[promote]
`;
const WORK = ["clerk", "pilot", "nurse"];
/** Judged by a file of one row. */
const ONE = PAY.replace('"pay"\nkind', '"one"\nkind')
  .replace("[[table.columns]]", '[[table.files]]\nname = "a.csv"\n[[table.columns]]')
  .replace("[[table.columns]]", '[[table.files]]\nname = "b.csv"\npart = "test"\n[[table.columns]]')
  .replace('test = "split"\n', "");

/** Rows whose pay has much to do with luck. */
function csv(rows = 600): string {
  const random = makeRandom(3);
  const lines = Array.from({ length: rows }, () => {
    const [age, work, hours] = [18 + random.integer(50), random.integer(3), random.integer(60)];
    const pay = age + hours + 60 * random.next() > 100 ? "high" : "low";
    return `${age},${WORK[work]},${hours},${pay}`;
  });
  return `age,work,hours,pay\n${lines.join("\n")}\n`;
}

const PREDICT = "/v1/models/pay/predict";
const INFER = "/v2/models/pay/infer";
const person = (i: number) => ({ age: 18 + (i % 60), work: WORK[i % 3]!, hours: (i * 11) % 70 });
const asCsv = (body: string): RequestInit => ({
  ...{ method: "POST", headers: { "content-type": "text/csv" }, body },
});
const asText = (body: string): RequestInit => ({ ...asJson({}), body });

interface Prediction {
  readonly label: string;
  readonly probability: number;
}

describe.each(stores())("cases on %s", (store) => {
  let story: Story;
  let app: Served;
  /** Imports files of a table and trains on them. */
  async function learn(model: string, files: Readonly<Record<string, string>>): Promise<void> {
    for (const [name, text] of Object.entries(files)) {
      const path = `/admin/models/${model}/imports?name=${name}`;
      expect((await app.fetch(path, asCsv(text))).status).toBe(200);
    }
    const { run } = await app.post<{ run: string }>(`/admin/models/${model}/retrain`);
    expect((await ended(app, model, run)).status).toBe("succeeded");
  }

  beforeAll(async () => {
    story = await openStory(store, { pay: PAY, one: ONE });
    app = await story.serve();
    await until(async () => (await app.fetch("/v1/models")).ok, LONG_MS, "it has started");
    await learn("pay", { "pay.csv": csv() });
    expect((await app.fetch(PREDICT, asJson({ instances: [person(0)] }))).status).toBe(200);
  }, 600_000);
  afterAll(() => story.close());

  const ask = async (path: string, init: RequestInit) => {
    const answer = await app.fetch(path, init);
    const text = await answer.text();
    // biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely.
    return { status: answer.status, json: JSON.parse(text) as any };
  };
  const predict = async (instances: readonly unknown[]): Promise<Prediction[]> => {
    const { status, json } = await ask(PREDICT, asJson({ instances }));
    if (status !== 200) throw new Error(`${status} ${json.code} ${json.detail}`);
    return json.predictions.map(({ label, probability }: Prediction) => ({ label, probability }));
  };
  const tensors = (rows: number, part: Readonly<Record<string, unknown>> = {}) => ({
    inputs: ["age", "work", "hours"].map((name) => ({
      ...{ name, datatype: name === "work" ? "BYTES" : "FP32", shape: [rows, 1] },
      data: Array.from({ length: rows }, () => (name === "work" ? "pilot" : 40)),
      ...part,
    })),
  });

  describe("a batch of nothing is refused, and the process lives (V1)", () => {
    test.each(['{"instances":[]}', "{}", "[]", "null", '{"instances":[[]]}', '{"instances":[{}]}'])(
      "as JSON: %s",
      async (body) => {
        const { status, json } = await ask(PREDICT, asText(body));
        expect([status, json.code]).toEqual([422, "invalid_instances"]);
      },
    );

    test.each(["age,work,hours", "age,work,hours\n", "\n", " "])("as CSV: %j", async (body) => {
      expect(await ask(PREDICT, asCsv(body))).toMatchObject({ status: 422 });
    });

    test.each([
      ["no inputs", { inputs: [] }],
      ["no members", {}],
      ["no rows", tensors(0)],
      ["rows and no data", tensors(1, { data: [] })],
      ["data and no rows", tensors(1, { shape: [0, 1] })],
      ["no columns", tensors(1, { shape: [1, 0], data: [] })],
    ])("as tensors: %s", async (_, body) => {
      const { status, json } = await ask(INFER, asJson(body));
      expect([status, Object.keys(json)]).toEqual([400, ["error"]]);
    });

    test("as bytes of tensors", async () => {
      for (const size of ["0", "1", "2"]) {
        const headers = { "inference-header-content-length": size };
        const answer = await app.fetch(INFER, { method: "POST", headers, body: "{}" });
        expect(answer.status).toBe(400);
      }
    });

    afterAll(async () => {
      expect(await predict([person(1)])).toHaveLength(1);
    });
  });

  describe("a hundred callers at once", () => {
    /** A request of its own for each: some of one row, some of more, one in ten with a fault. */
    const rowsOf = (caller: number) =>
      Array.from({ length: [1, 1, 1, 3, 17][caller % 5]! }, (_, i) => person(caller * 31 + i));
    const isBad = (caller: number) => caller % 10 === 7;

    test("each gets the answer to its own rows, and only the bad ones fail (V3)", async () => {
      const alone: Prediction[][] = [];
      for (let i = 0; i < 100; i++) alone.push(await predict(rowsOf(i)));
      // They would prove nothing if all had one answer.
      expect(new Set(alone.map(([first]) => first!.probability)).size).toBeGreaterThan(20);
      for (let round = 0; round < 5; round++) {
        const asked = Array.from({ length: 100 }, async (_, i) => {
          const rows: object[] = rowsOf(i);
          if (isBad(i)) rows[rows.length - 1] = { ...person(i), age: `caller ${i}` };
          const { status, json } = await ask(PREDICT, asJson({ instances: rows }));
          if (!isBad(i)) {
            expect(status).toBe(200);
            const told = json.predictions.map((p: Prediction) => [p.label, p.probability]);
            expect(told).toEqual(alone[i]!.map((p) => [p.label, p.probability]));
            return;
          }
          expect([status, json.code]).toEqual([422, "invalid_instances"]);
          expect(json.faults.map((fault: { path: string }) => fault.path)).toEqual([
            `instances[${rows.length - 1}].age`,
          ]);
          expect(json.detail).toContain(`caller ${i}`);
        });
        await Promise.all(asked);
      }
    });

    test("those who ask for tensors get tensors, whoever asks beside them (V3)", async () => {
      const [{ probability }] = (await predict([{ age: 40, work: "pilot", hours: 40 }])) as [
        Prediction,
      ];
      const asked = Array.from({ length: 60 }, async (_, i) => {
        if (i % 2 === 0) return expect(await predict(rowsOf(i))).toHaveLength(rowsOf(i).length);
        const rows = 1 + (i % 3);
        const { json } = await ask(INFER, asJson(tensors(rows)));
        const [output, ...others] = json.outputs;
        expect([output.name, output.shape, others.length]).toEqual(["probability", [rows, 1], 0]);
        for (const value of output.data) expect(value).toBeCloseTo(probability, 6);
      });
      await Promise.all(asked);
    });
  });

  describe("numbers that are none (V7)", () => {
    const row = (age: string) => `{"instances":[{"age":40,"work":"pilot","hours":${age}}]}`;

    test.each([
      ["NaN", 400, "bad_json"],
      ["Infinity", 400, "bad_json"],
      ["-Infinity", 400, "bad_json"],
      ["1e999", 422, "invalid_instances"],
      ["-1e999", 422, "invalid_instances"],
      ["9007199254740993e10", 422, "invalid_instances"],
      ['"Infinity"', 422, "invalid_instances"],
      ["true", 422, "invalid_instances"],
    ])("%s in JSON is refused", async (value, wanted, code) => {
      const { status, json } = await ask(PREDICT, asText(row(value)));
      expect([status, json.code]).toEqual([wanted, code]);
    });

    test("zero has one answer, whatever its sign, and so has what is missing", async () => {
      const values = ["0", "-0.0", "0e5", "null", '"NaN"', '""'];
      const asked = values.map((value) => ask(PREDICT, asText(row(value))));
      const [zero, negative, power, ...missing] = (await Promise.all(asked)).map(
        ({ json }) => json.predictions[0].probability,
      );
      expect([negative, power]).toEqual([zero, zero]);
      expect(Number.isFinite(missing[0])).toBe(true);
      expect(new Set(missing).size).toBe(1);
    });

    test.each(["Infinity", "-inf", "1e999", "0x10", "1_000"])(
      "%s in a CSV is refused with its line",
      async (value) => {
        const { status, json } = await ask(PREDICT, asCsv(`age,work,hours\n40,pilot,${value}\n`));
        expect([status, json.code]).toEqual([422, "invalid_instances"]);
        expect(json.faults[0].path).toBe("line 2: hours");
      },
    );

    test("a tensor of JSON cannot hold one, and one of bytes is taken as missing", async () => {
      for (const data of [[null], [1e300], ["NaN"]]) {
        const body = tensors(1);
        const inputs = body.inputs.map((each) =>
          each.name === "hours" ? { ...each, data } : each,
        );
        expect((await ask(INFER, asJson({ inputs }))).status).toBe(400);
      }
      const [{ probability }] = (await predict([{ age: 40, work: "pilot", hours: null }])) as [
        Prediction,
      ];
      const { inputs } = tensors(1);
      const head = JSON.stringify({
        inputs: inputs.map(({ data, ...rest }) =>
          rest.name === "hours"
            ? { ...rest, parameters: { binary_data_size: 4 } }
            : { ...rest, data },
        ),
      });
      const bytes = new Uint8Array(Float32Array.of(Number.NaN).buffer);
      const { status, json } = await ask(INFER, {
        method: "POST",
        headers: { "inference-header-content-length": `${head.length}` },
        body: Buffer.concat([Buffer.from(head), bytes]),
      });
      expect(status).toBe(200);
      expect(json.outputs[0].data[0]).toBeCloseTo(probability, 6);
    });

    test("figures of one row are told, left out, or null with the reason, and none is NaN", async () => {
      await learn("one", { "a.csv": csv(200), "b.csv": csv(1) });
      const { items } = await askVersions(app, "one");
      const gates = items[0]!.gates as { name: string; passed: boolean; detail: string }[];
      const failed = gates.filter(({ passed }) => !passed);
      expect(failed.map(({ name }) => name)).toEqual(["two_classes", "too_good"]);
      for (const { detail } of failed) expect(detail).toMatch(/\b1 held-out row\b/);
      const { metrics } = (await askRuns(app)).items.find(({ model }) => model === "one")!;
      expect(metrics["rows"]).toBe(1);
      expect(metrics["auc"] ?? null).toBeNull();
      for (const value of Object.values(metrics)) expect(Number.isFinite(value ?? 0)).toBe(true);
      for (const path of ["/v1/models", "/v1/models/one/versions", "/v1/runs"]) {
        expect(await (await app.fetch(path)).text()).not.toMatch(/NaN|Infinity/);
      }
    }, 600_000);
  });

  /** Asks every 20 ms from before the process listens, and holds each answer to the rule. */
  function fromTheStart(launched: Launched) {
    const seen = { waiting: 0, good: 0 };
    let over = false;
    const watch = async (init: RequestInit | null) => {
      const url = await launched.listening;
      let isReady = false;
      for (; !over; await Bun.sleep(20)) {
        const answer =
          init === null ? await fetch(`${url}/readyz`) : await fetch(url + PREDICT, init);
        const text = await answer.text();
        if (answer.status === 503 && !isReady) {
          expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
          expect(["starting", "not_ready"]).toContain(JSON.parse(text).code);
          seen.waiting++;
        } else {
          if (answer.status !== 200) throw new Error(`${answer.status} ${text}`);
          isReady = true;
          seen.good++;
        }
      }
    };
    /** The two are held to each other: once ready, a prediction is never refused. */
    const inOrder = async () => {
      const url = await launched.listening;
      await until(async () => (await fetch(`${url}/readyz`)).ok, LONG_MS, "ready", 5);
      const first = await fetch(url + PREDICT, asJson({ instances: [person(3)] }));
      expect(first.status).toBe(200);
    };
    const all = Promise.all([watch(null), watch(asJson({ instances: [person(2)] })), inOrder()]);
    all.catch(() => {});
    return {
      seen,
      end: async () => {
        await until(() => seen.good > 20, LONG_MS, "it has answered for some time");
        over = true;
        await all;
      },
    };
  }

  describe("the first requests of a process", () => {
    test("are told to come again until it is ready, and never fail from then on (V9)", async () => {
      expect(await app.stop()).toBe(0);
      const launched = story.launch();
      await fromTheStart(launched).end();
      app = await served(launched);
    }, 600_000);

    test.if(store === "services")(
      `also where they take seconds to answer a new replica (V9) ${only("services", "a folder has no replicas")}`,
      async () => {
        const slowDatabase = slowly(story.databaseUrl!, 700);
        const slowS3 = slowly(story.env["S3_ENDPOINT"]!, 1_500);
        try {
          const replica = story.launch({
            env: {
              ...{ S3_ENDPOINT: slowS3.url, DATABASE_URL: slowDatabase.url },
              ...{ SLUICE_DATA: join(story.folder, "another"), SLUICE_ROLE: "web" },
            },
          });
          const watched = fromTheStart(replica);
          await watched.end();
          expect(performance.now() - replica.begun).toBeGreaterThan(2_000);
          expect(watched.seen.waiting).toBeGreaterThan(20);
          expect(await replica.stop()).toBe(0);
        } finally {
          slowDatabase.stop();
          slowS3.stop();
        }
      },
      600_000,
    );
  });

  /** A body whose second half comes later: so that some requests are always under way. */
  function halves(text: string): ReadableStream<Uint8Array> {
    const bytes = new TextEncoder().encode(text);
    const middle = bytes.length >> 1;
    return new ReadableStream({
      start: async (controller) => {
        controller.enqueue(bytes.subarray(0, middle));
        await Bun.sleep(400);
        controller.enqueue(bytes.subarray(middle));
        controller.close();
      },
    });
  }

  describe("the last requests of a process", () => {
    test("at twenty a second, each that was taken is answered, and it is gone in time (V6)", async () => {
      const outcomes: string[] = [];
      // Held open by a client that says nothing more.
      await (await fetch(`${app.url}/healthz`, { keepalive: true })).text();
      let over = false;
      const sent: Promise<void>[] = [];
      const load = (async () => {
        for (; !over; await Bun.sleep(50)) {
          const one = async () => {
            const body = halves(JSON.stringify({ instances: [person(sent.length)] }));
            const answer = await fetch(app.url + PREDICT, { ...asJson({}), body });
            const text = await answer.text();
            if (answer.status === 503) {
              expect(JSON.parse(text).code).toBe("stopping");
              expect(answer.headers.get("retry-after")).not.toBeNull();
            } else expect(JSON.parse(text).predictions).toHaveLength(1);
            outcomes.push(String(answer.status));
          };
          sent.push(one().catch((thrown) => void outcomes.push(String(thrown.code ?? thrown))));
        }
      })();
      await until(() => outcomes.length > 10, LONG_MS, "requests are answered");
      const stopping = stopwatch();
      expect(await app.stop()).toBe(0);
      expect(stopping.ms()).toBeLessThan(stopping.promised(10_000));
      await Bun.sleep(200);
      over = true;
      await load;
      await Promise.all(sent);
      expect(outcomes.filter((each) => each === "200").length).toBeGreaterThan(10);
      // Those that come as it stops listening, and that the kernel alone had, were never taken.
      const refused = new Set(["200", "503", "ConnectionRefused", "ECONNREFUSED"]);
      // Three of twenty a second: more where the process had to wait to take them.
      const cut = outcomes.filter((each) => !refused.has(each)).length;
      expect(cut).toBeLessThanOrEqual(stopping.promised(3));
      expect(new Set(outcomes).isSubsetOf(new Set([...refused, "ECONNRESET"]))).toBe(true);
    }, 600_000);
  });
});
