/*
 * The page of runs: its parts take answers of MLflow's protocol and give text, and its start is tried
 * without a browser.
 */
import { describe, expect, test } from "bun:test";
import { runsPage } from "./runs.ts";
import { type Answers, expectWhole, openPage, scriptOf } from "./testing.ts";

const page = runsPage(false).text;
const script = scriptOf(page);

type Part = (...given: unknown[]) => { text: string };
const NAMES = [
  ...["addressOf", "columnsOf", "compareTable", "experimentList", "fieldOf", "figure", "fileCard"],
  ...["lineChart", "modelTable", "modelView", "runTable", "runView", "tableOf", "took"],
];
const parts = new Function("location", `${script}; return { ${NAMES.join(", ")} };`)({
  hash: "",
}) as Record<string, Part & ((...given: unknown[]) => never)>;
const part = (name: string, ...given: unknown[]): string => parts[name]!(...given).text;

const EVIL = `<img src=x onerror="alert('1')">`;

const runOf = (id: string, auc: number, more: object = {}) => ({
  info: {
    ...{ run_id: id, run_name: `run ${id}`, experiment_id: "1", status: "FINISHED" },
    ...{ start_time: Date.UTC(2026, 0, 2), end_time: Date.UTC(2026, 0, 2, 0, 0, 5), ...more },
  },
  data: {
    metrics: [{ key: "auc", value: auc, step: 3, timestamp: 1 }],
    params: [{ key: "depth", value: "3" }],
    tags: [{ key: "team", value: "a" }],
  },
});
const told = { experiment: "churn", parent: null, children: [], versions: [] };

describe("the page", () => {
  test("has everything in it", () => {
    expectWhole(page);
    expect(runsPage(true).text).toContain("SIMULATED: an invented exchange");
  });
});

describe("its parts", () => {
  test("no text of an answer becomes markup", () => {
    const pair = { key: EVIL, value: EVIL };
    const run = {
      info: { ...runOf(EVIL, 1).info, run_name: EVIL, status: EVIL },
      data: {
        metrics: [{ ...pair, step: EVIL }],
        params: [pair],
        tags: [
          pair,
          { key: "mlflow.note.content", value: EVIL },
          { key: "mlflow.user", value: EVIL },
        ],
      },
      inputs: {
        dataset_inputs: [{ dataset: { name: EVIL, digest: EVIL, profile: EVIL }, tags: [] }],
      },
      outputs: { model_outputs: [{ model_id: EVIL, step: EVIL }] },
    };
    const version = { version: EVIL, aliases: [EVIL], name: EVIL, run_id: EVIL, description: EVIL };
    const aliases = [{ alias: EVIL, version: EVIL }];
    const model = { name: EVIL, aliases, description: EVIL, tags: [pair] };
    const around = { ...told, experiment: EVIL, parent: run.info, children: [run] };
    const columns = [
      ["metrics", EVIL],
      ["params", EVIL],
    ];
    const texts = [
      part("experimentList", [{ experiment_id: EVIL, name: EVIL }], EVIL, true),
      part("runTable", [run], {
        order: EVIL,
        picked: new Set([EVIL]),
        chosen: columns,
        more: true,
      }),
      part("runView", run, { ...around, versions: [version] }),
      part("compareTable", [run, runOf("2", 1)]),
      part("lineChart", EVIL, [
        {
          name: EVIL,
          color: "red",
          points: [
            [0, 1],
            [1, 2],
          ],
        },
      ]),
      part("modelTable", [model], true),
      part("modelView", model, [{ ...version, current_stage: EVIL, status_message: EVIL }], true),
      part("fileCard", EVIL, EVIL, [{ path: EVIL, is_dir: true }, { path: `${EVIL}.txt` }], {
        ...{ path: `${EVIL}.txt`, text: EVIL },
      }),
      part("fileCard", EVIL, "", [], {
        ...{ path: "t.json", text: JSON.stringify({ columns: [EVIL], data: [[EVIL]] }) },
      }),
    ];
    for (const text of texts) expect(text).not.toMatch(/<img src=x/);
  });

  test("runs have a row each, with the metrics and params that most of them have", () => {
    const runs = [runOf("a", 0.91234567), runOf("b", 0.5, { status: "FAILED" })];
    const { all, chosen } = parts["columnsOf"]!(runs, null) as unknown as Record<string, unknown>;
    expect(all).toEqual([
      ["metrics", "auc"],
      ["params", "depth"],
    ]);
    const text = part("runTable", runs, { order: "", picked: new Set(["a"]), chosen, more: false });
    for (const found of ["0.91235", "failed", "5.0 s", "01-02 00:00"])
      expect(text).toContain(found);
    expect(text.match(/ checked/g)?.length).toBe(1);
    expect(part("runTable", [], { order: "", picked: new Set(), chosen: [] })).toContain("No run");
  });

  test("a key is quoted as a search needs it", () => {
    const field = (key: string) => parts["fieldOf"]!("metrics", key) as unknown;
    expect([field("a b"), field("a`b"), field('a`"b')]).toEqual([
      ...["metrics.`a b`", 'metrics."a`b"', null],
    ]);
  });

  test("figures are short and lose nothing that matters", () => {
    const figure = (value: unknown) => parts["figure"]!(value) as unknown;
    expect([0, 1.5e-7, 123456789.5, 0.1 + 0.2, 12345, "NaN", null].map(figure)).toEqual([
      ...["0", "1.500e-7", "1.235e+8", "0.3", "12,345", "NaN", "–"],
    ]);
  });

  test("runs side by side: what differs is in front and marked", () => {
    const text = part("compareTable", [runOf("a", 0.9), runOf("b", 0.8)]);
    expect(text.match(/class="differs"/g)?.length).toBe(1);
    expect(text).toMatch(/differs"><td>auc/);
  });

  test("lines stay within their frame, whatever is in them", () => {
    const points = [
      [0, 1],
      [1, Number.NaN],
      [2, 5],
      [3, Number.POSITIVE_INFINITY],
      [4, -5],
    ];
    const text = part("lineChart", "loss", [{ name: "a", color: "red", points }]);
    expect(text).not.toMatch(/NaN|Infinity/);
    const drawn = /points="([^"]+)"/
      .exec(text)![1]!
      .split(" ")
      .map((one) => one.split(",").map(Number));
    expect(drawn).toHaveLength(3);
    for (const [x, y] of drawn) expect(x! >= 0 && x! <= 360 && y! >= 0 && y! <= 150).toBe(true);
    expect(part("lineChart", "one", [{ name: "a", color: "red", points: [[0, 1]] }])).toContain(
      "<circle",
    );
    expect(
      part("lineChart", "none", [{ name: "a", color: "red", points: [[0, Number.NaN]] }]),
    ).toContain("No finite");
  });

  test("a version tells its aliases and why it is not served; a prompt tells its text", () => {
    const model = { name: "m", creation_timestamp: 1, tags: [] };
    const version = { version: "2", aliases: ["champion"], current_stage: "None", run_id: "r" };
    const text = part("modelView", model, [{ ...version, status_message: "No ONNX file." }], false);
    for (const found of ["champion", "No ONNX file.", "#run=r"]) expect(text).toContain(found);
    const prompt = { ...model, tags: [{ key: "mlflow.prompt.is_prompt", value: "true" }] };
    const tags = [{ key: "mlflow.prompt.text", value: "Hello {{name}}" }];
    expect(part("modelView", prompt, [{ ...version, tags }], false)).toContain("Hello {{name}}");
  });

  test("files of a folder, a logged table, and what is too large to be shown", () => {
    const files = [
      { path: "a/b", is_dir: true },
      { path: "a/big.txt", is_dir: false, file_size: 2_000_000 },
      { path: "a/t.json", is_dir: false, file_size: 10 },
    ];
    const text = JSON.stringify({ columns: ["x"], data: [[1], [{ y: 2 }]] });
    const shown = part("fileCard", "r", "a", files, { path: "a/t.json", text });
    for (const found of ["<th>x</th>", "2.0 MB", "2 of 2 rows"]) expect(shown).toContain(found);
    expect(shown).not.toContain("file=a%2Fbig.txt");
    expect(parts["tableOf"]!("[1]") as unknown).toBeNull();
    const odd = [
      { path: "a.", file_size: 1 },
      { path: ".", file_size: 1 },
    ];
    expect(part("fileCard", "r", "", odd, null)).toContain("download");
  });

  test("a page that was logged is shown without rights, and its text stays its own", () => {
    const text = `<p title="x">&amp;</p><script>alert(1)</script>`;
    const shown = part("fileCard", "r", "", [], { path: "report.html", text });
    expect(shown).toMatch(/<iframe sandbox srcdoc="[^"<>]*"/);
    expect(shown).not.toContain("<script");
  });
});

describe("its start", () => {
  const experiments = [{ experiment_id: "1", name: "churn" }];
  const answers: Answers = (path, _, body) => {
    if (path.includes("/experiments/search")) return [200, { experiments }];
    if (path.includes("/experiments/get")) return [200, { experiment: experiments[0] }];
    if (path.includes("/runs/search")) {
      const { filter } = JSON.parse(body!);
      if (filter === "nonsense") return [400, { error_code: "X", message: "Invalid clause" }];
      return [200, { runs: filter?.includes("parentRunId") ? [] : [runOf("a", 0.9)] }];
    }
    if (path.includes("/runs/get")) return [200, { run: runOf("a", 0.9) }];
    if (path.includes("interval")) {
      const points = [1, 2].map((step) => ({ run_id: "a", step, timestamp: step, value: step }));
      return [200, { metrics: points }];
    }
    if (path.includes("/artifacts/list"))
      return [200, { files: [{ path: "x.txt", file_size: 2 }] }];
    if (path.includes("/get-artifact")) return [200, "what is in it"];
    return [200, {}];
  };
  const shownAt = async (hash: string, answer = answers) => {
    const open = openPage(script, answer, hash);
    await Bun.sleep(30);
    return { ...open, text: String(open.element("page")["innerHTML"]) };
  };

  test("shows the experiments and the runs of the first", async () => {
    const { text, asked } = await shownAt("");
    for (const found of ["churn", "run a", "0.9"]) expect(text).toContain(found);
    expect(asked).toHaveLength(2);
  });

  test("shows a run with its history and a file", async () => {
    const { text } = await shownAt("#run=a&file=x.txt");
    for (const found of ["churn", "<polyline", "what is in it"]) expect(text).toContain(found);
  });

  test("tells what is wrong with a search, and keeps it in its place", async () => {
    const { text } = await shownAt("#experiment=1&filter=nonsense");
    expect(text).toContain("Invalid clause");
    expect(text).toContain('value="nonsense"');
  });

  test("knows the addresses that clients tell", async () => {
    const { location } = await shownAt("#/experiments/1/runs/abc");
    expect(location.hash).toBe("#run=abc");
    expect((await shownAt("#/experiments/7")).location.hash).toBe("#experiment=7");
  });

  test("asks for a token where one is needed", async () => {
    const { element } = await shownAt("", () => [401, { message: "This route needs a token." }]);
    expect(element("ask")["hidden"]).toBe(false);
    expect(element("why")["textContent"]).toBe("This route needs a token.");
  });
});
