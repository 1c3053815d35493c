/*
 * `bun run bench:serve`: the same income model and the same requests, served by Sluice, by its
 * peers in Python and by servers that only echo; one server at a time, one measurement after
 * another. Prints the tables of bench/README.md; exit code 1 when a request failed. Wants wrk.
 *
 * --adult DIR         adult.data and adult.test, or both as .gz (../shared/data/adult)
 * --peers a,b         only these of sluice, sluice-v2, echo, hono, fastapi, bentoml, mlserver,
 *                     mlflow
 * --seconds N         a measurement (5)
 * --warm N            warming up before (2)
 * --starts N          cold starts of Sluice and of the echoes (5); the others are started once
 * --connections a,b   1,16,64
 * --database URL      a Postgres server, on which a database is made and dropped; embedded without
 * --python-root DIR   the virtual environments of the peers, one a folder (build/bench-python)
 * --install           makes those that are not there, from PyPI
 * --python PATH       the Python that makes them (python3)
 */
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { reasonOf } from "../src/errors.ts";
import { loadRuntime } from "../src/serve/runtime.ts";
import { probabilitiesOf } from "./serve/answers.ts";
import { type Measured, measurePeer } from "./serve/measure.ts";
import { trainIncome } from "./serve/model.ts";
import { PEERS } from "./serve/peers.ts";
import { installEnvironment, isThere, runToEnd, versionsOf } from "./serve/python.ts";
import { completeRows } from "./serve/rows.ts";
import { failedOf, loadTable, otherTable, wantedTable } from "./serve/table.ts";
import { undoing } from "./serve/undo.ts";
import { findWrk } from "./serve/wrk.ts";

const root = join(import.meta.dir, "..");
const { values: options } = parseArgs({
  options: {
    adult: { type: "string", default: join(root, "../shared/data/adult") },
    peers: { type: "string", default: Object.keys(PEERS).join(",") },
    seconds: { type: "string", default: "5" },
    warm: { type: "string", default: "2" },
    starts: { type: "string", default: "5" },
    connections: { type: "string", default: "1,16,64" },
    database: { type: "string" },
    "python-root": { type: "string", default: join(root, "build/bench-python") },
    install: { type: "boolean", default: false },
    python: { type: "string", default: "python3" },
  },
});
const adult = resolve(options.adult);
const pythonRoot = resolve(options["python-root"]);

findWrk();
const versions = new Set<string>();
const names: string[] = [];
for (const name of options.peers.split(",")) {
  const peer = PEERS[name];
  if (peer === undefined) throw new Error(`There is no peer ${name}: ${Object.keys(PEERS)}.`);
  const { python } = peer;
  if (python !== undefined) {
    if (options.install) await installEnvironment(pythonRoot, python, options.python);
    if (!isThere(pythonRoot, python)) {
      console.log(`skipped: ${name}, not in ${pythonRoot} (--install makes it)`);
      continue;
    }
    for (const version of await versionsOf(pythonRoot, python)) versions.add(version);
  }
  names.push(name);
}
if (names.length === 0) process.exit(1);

const folder = mkdtempSync(join(tmpdir(), "sluice-bench-serve-"));
const removeFolder = undoing(() => rmSync(folder, { recursive: true, force: true }));
const load = loadavg()[0]?.toFixed(1);
try {
  const trained = await trainIncome(folder, adult, options.database ?? null, [{}]);
  try {
    await measureAll(trained.env, trained.versions[0]!.path);
  } finally {
    await trained.drop();
  }
} finally {
  await removeFolder();
}

async function measureAll(sluice: Readonly<Record<string, string>>, model: string): Promise<void> {
  const rows = completeRows(adult, 100);
  const runtime = await loadRuntime(join(folder, "runtime"));
  const question = async (count: number) => {
    const asked = rows.slice(0, count);
    return { rows: asked, expected: await probabilitiesOf(runtime, model, asked) };
  };
  const plan = {
    connections: options.connections.split(",").map(Number),
    seconds: Number(options.seconds),
    warmSeconds: Number(options.warm),
    one: await question(1),
    hundred: await question(100),
  };
  const all = new Map<string, Measured>();
  for (const name of names) {
    const peer = PEERS[name]!;
    const place = { folder, model, sluice, pythonRoot };
    const starts = peer.python === undefined ? Number(options.starts) : 1;
    try {
      all.set(name, await measurePeer(name, peer, place, { ...plan, starts }));
    } catch (thrown) {
      // What was measured of the others is worth as much without it.
      console.log(`failed: ${name}: ${reasonOf(thrown)}\n`);
      process.exitCode = 1;
    }
  }
  if (all.size === 0) return;
  const store = options.database === undefined ? "embedded" : "Postgres";
  const measured = [...all.values()];
  console.log(
    `${new Date().toISOString().slice(0, 10)}, ${cpus().length} x ${cpus()[0]?.model}, ` +
      `Sluice ${store}, load before ${load}, ${options.seconds} s a measurement, ` +
      `Bun ${Bun.version}, ${[...versions].join(", ")}\n`,
  );
  console.log(`**Single row**\n\n${loadTable(measured, ({ one }) => one)}\n`);
  console.log(`**100 rows**\n\n${loadTable(measured, ({ hundred }) => hundred)}\n`);
  console.log(`**Starts, memory, half of peak**\n\n${otherTable(measured)}\n`);
  if (failedOf(measured) > 0) process.exitCode = 1;
  if (all.has("sluice")) {
    console.log(`**Against what was wanted**\n\n${wantedTable(all, store)}\n`);
    const parts = join(import.meta.dir, "serve/parts.ts");
    const out = await runToEnd([process.execPath, parts, model, adult]).catch(String);
    console.log(`**Where the time of a request goes**\n\n${out}`);
  }
}
