/*
 * `bun run bench:train`: fits the same tables with the engine here and with its peers in Python,
 * one process a line of the table, one after another.
 *
 * --python PATH   a Python with numpy, lightgbm, xgboost and scikit-learn (.venv/bin/python)
 * --repeats N     fits a line, of which the median counts (5)
 * --tables a,b    adult and million unless given
 * --rows N        rows of the made table (1000000)
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { adult, hasAdult, million, writeTable } from "./train/data.ts";

const { values: options } = parseArgs({
  options: {
    python: { type: "string", default: ".venv/bin/python" },
    repeats: { type: "string", default: "5" },
    tables: { type: "string", default: "adult,million" },
    rows: { type: "string", default: "1000000" },
  },
});

interface Measured {
  readonly took: readonly number[];
  readonly cpu: readonly number[];
  readonly peak_mb: number;
  readonly auc: number;
  readonly log_loss: number;
  /** Of the answers; ours only. */
  readonly digest?: string;
}

/** Lines of a table: engine, and the threads at which it is measured. */
const ENGINES: Readonly<Record<string, readonly number[]>> = {
  wasm: [1, 2],
  plain: [1],
  lightgbm: [1, 2],
  "lightgbm-row": [1, 2],
  "lightgbm-col": [1, 2],
  "lightgbm-quantized": [1, 2],
  xgboost: [1, 2],
  "xgboost-categories": [1, 2],
  sklearn: [1, 2],
};
const isOurs = (engine: string) => engine === "wasm" || engine === "plain";
// Approximate gradients are another method; it is shown beside, not held against.
const isJudge = (engine: string) =>
  engine.startsWith("lightgbm") && engine !== "lightgbm-quantized";

const folder = mkdtempSync(join(tmpdir(), "sluice-bench-"));
const here = join(import.meta.dir, "train");
try {
  for (const name of options.tables.split(",")) {
    if (name === "adult" && !hasAdult()) {
      console.log("skipped: adult, no ../shared");
      continue;
    }
    writeTable(name === "adult" ? adult() : million(Number(options.rows)), join(folder, name));
  }
  console.log(
    `\n${new Date().toISOString().slice(0, 10)}, ${cpus().length} x ${cpus()[0]?.model}, ` +
      `Bun ${Bun.version}, load ${loadavg()[0]?.toFixed(1)}, medians of ${options.repeats}\n`,
  );
  for (const [name, trees] of [
    ["adult", 100],
    ["adult", 300],
    ["million", 100],
  ] as const) {
    if (existsSync(join(folder, name))) await measureTable(name, trees);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function measureTable(name: string, trees: number): Promise<void> {
  console.log(`**${name}, ${trees} trees**\n`);
  console.log(
    "| engine | threads | fit, ms | of LightGBM's fastest | first fit, ms | CPU, ms | peak, MB | AUC | log-loss |",
  );
  console.log("|---|---|---|---|---|---|---|---|---|");
  const digests = new Set<string>();
  for (const threads of [1, 2]) {
    const lines = new Map<string, Measured>();
    for (const [engine, at] of Object.entries(ENGINES)) {
      // A table of numbers has no categories to be handed over in another way.
      if (!at.includes(threads) || (name === "million" && engine === "xgboost-categories"))
        continue;
      const measured = await measure(name, engine, threads, trees);
      if (measured.digest !== undefined) digests.add(measured.digest);
      lines.set(engine, measured);
    }
    const judges = [...lines].filter(([engine]) => isJudge(engine));
    const fastest = Math.min(...judges.map(([, { took }]) => median(took)));
    for (const [engine, { took, cpu, peak_mb, auc, log_loss }] of lines) {
      const cells = [
        isOurs(engine) ? `**${engine}**` : engine,
        threads,
        median(took).toFixed(0),
        `${(median(took) / fastest).toFixed(2)} x`,
        took[0]?.toFixed(0),
        median(cpu).toFixed(0),
        peak_mb.toFixed(0),
        auc.toFixed(5),
        log_loss.toFixed(5),
      ];
      console.log(`| ${cells.join(" | ")} |`);
    }
  }
  console.log(
    digests.size === 1
      ? "\nOurs answered the same to the last bit on every line.\n"
      : `\nOURS DIFFERED: ${[...digests].join(", ")}\n`,
  );
}

async function measure(
  table: string,
  engine: string,
  threads: number,
  trees: number,
): Promise<Measured> {
  const rest = [String(threads), String(trees), options.repeats];
  const command = isOurs(engine)
    ? [process.execPath, join(here, "ours.ts"), join(folder, table), engine, ...rest]
    : [options.python, join(here, "peers.py"), join(folder, table), engine, ...rest];
  const child = Bun.spawn(command, {
    stdout: "pipe",
    stderr: "inherit",
    env: { ...process.env, OMP_NUM_THREADS: String(threads) },
  });
  const text = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error(`${command.join(" ")} failed.`);
  return JSON.parse(text);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
