/*
 * `bun run faults`: three replicas on a Postgres, a Redis and an S3 server of their own, while a
 * replayed clock goes through slots and a schedule of faults happens; then everything is counted.
 * What is promised and what a run looks like: docs/reliability.md. Exit code 1 when a count is
 * wrong.
 *
 * --seed N       another schedule (by the time of day)
 * --slots N      how many slots (60)
 * --wait N       seconds for which a slot is waited for (25)
 * --minutes N    ends the run, as failed, after so long (20)
 * --roles LIST   all,all,all, or some of web and worker (by the seed)
 * --faults LIST  only these kinds, or none (all of them)
 * --keep         leaves the folder with the logs
 */
import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { reasonOf } from "../../src/errors.ts";
import { type Count, countAll } from "./counts.ts";
import { openDisk, whyNoDisk } from "./disk.ts";
import { makeInjector } from "./inject.ts";
import { MODELS, openExchange, writeModels } from "./market.ts";
import { type FaultKind, planOf } from "./plan.ts";
import { replay } from "./replay.ts";
import { keepLogs, openReplica, type Replica, type Role } from "./replicas.ts";
import { openServers } from "./servers.ts";
import { faultTable, stepLine } from "./tables.ts";
import { startWitness } from "./witness.ts";

const { values: options } = parseArgs({
  options: {
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    slots: { type: "string", default: "60" },
    wait: { type: "string", default: "25" },
    minutes: { type: "string", default: "20" },
    roles: { type: "string" },
    faults: { type: "string" },
    keep: { type: "boolean", default: false },
  },
});
const seed = Number(options.seed);
const steps = Number(options.slots);
const begun = Date.now();
const roles = (options.roles ?? (seed % 2 === 0 ? "all,web,worker" : "all,all,all")).split(",");

const say = (line: string) =>
  console.log(`${((Date.now() - begun) / 1_000).toFixed(1).padStart(6)}  ${line}`);

const folder = mkdtempSync(join(tmpdir(), "sluice-faults-"));
const undo: (() => unknown)[] = [
  () => options.keep || rmSync(folder, { recursive: true, force: true }),
];
let ending: Promise<void> | null = null;
const end = () => {
  ending ??= (async () => {
    for (const each of undo.reverse()) {
      try {
        await each();
      } catch (thrown) {
        console.error(reasonOf(thrown));
      }
    }
  })();
  return ending;
};
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => void end().then(() => process.exit(130)));
}

/** The binary, kept from being replaced by a build while this runs. */
function ownBinary(): void {
  const built = join(import.meta.dir, "../../dist/sluice");
  const binary = resolve(process.env["SLUICE_TEST_BINARY"] || built);
  if (!existsSync(binary)) throw new Error(`There is no ${binary}: run \`bun run build\`.`);
  const own = join(folder, "sluice");
  copyFileSync(binary, own);
  process.env["SLUICE_TEST_BINARY"] = own;
}

async function main(): Promise<readonly Count[]> {
  ownBinary();
  const noDisk = whyNoDisk(join(folder, "probe"));
  const plan = planOf({
    ...{ seed, steps, replicas: roles.length },
    ...(options.faults === undefined ? {} : { kinds: options.faults.split(",") as FaultKind[] }),
  });
  console.log(
    `seed ${seed}, ${steps} slots, ${MODELS.length} markets, replicas ${roles.join(" ")}, ` +
      `${plan.length} faults, load ${loadavg()[0]?.toFixed(1)}`,
  );
  if (noDisk !== null) console.log(`skipped: full disks (${noDisk})`);

  const s3Disk = openDisk(join(folder, "s3"), noDisk === null);
  undo.push(s3Disk.close);
  const servers = await openServers(folder, s3Disk.folder);
  undo.push(servers.close);
  const exchange = openExchange();
  undo.push(exchange.stop);
  const models = writeModels(join(folder, "models"));
  const replicas: Replica[] = [];
  undo.push(() => Promise.all(replicas.map((each) => each.close())));
  if (options.keep) undo.push(() => keepLogs(replicas, join(folder, "logs")));
  for (const [i, role] of roles.entries()) {
    replicas.push(
      await openReplica({
        ...{ number: i + 1, role: role as Role, folder, hasDisk: noDisk === null },
        ...{ servers, models, exchangePort: Number(new URL(exchange.url).port) },
      }),
    );
  }
  for (const each of replicas) each.start();
  say("three servers and the replicas are started");

  const injector = makeInjector({ replicas, servers, exchange, disk: s3Disk, say });
  const witness = startWitness(replicas, MODELS);
  undo.push(witness.stop);
  const deps = { exchange, injector, database: servers.database, models: MODELS, say };
  const limits = {
    ...{ steps, waitMs: Number(options.wait) * 1_000 },
    until: begun + Number(options.minutes) * 60_000,
  };
  const done = await replay(plan, limits, deps);
  await injector.settled();
  say("every fault is healed; it settles");
  const counts = await countAll({
    ...{ done, injector, witness, replicas, servers, exchange, models: MODELS, folder, say },
  });
  console.log(`\n${faultTable(injector.entries, witness.looks)}\n`);
  console.log(stepLine(done));
  return counts;
}

let failed = 1;
try {
  const counts = await main();
  failed = counts.filter(({ ok }) => !ok).length;
  const width = Math.max(...counts.map(({ what }) => what.length));
  console.log("");
  for (const { what, found, ok } of counts) {
    console.log(`${ok ? "ok  " : "FAIL"} ${what.padEnd(width)}  ${found}`);
  }
  console.log(`\n${((Date.now() - begun) / 60_000).toFixed(1)} minutes`);
  if (failed > 0) console.log(`repeat with: bun run faults --seed ${seed} --slots ${steps} --keep`);
  await end();
  console.log(`${counts.length - failed} passed, ${failed} failed`);
} catch (thrown) {
  console.error(thrown);
  await end();
  console.log(`0 passed, ${failed} failed`);
}
if (options.keep) console.error(`kept: ${folder}`);
process.exit(failed === 0 ? 0 : 1);
