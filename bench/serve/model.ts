/*
 * The income model, trained by the binary from the census files into a folder, and a database of
 * its own where Postgres is asked for.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SQL } from "bun";
import { ADMIN_TOKEN, run } from "../../tests/served.ts";
import { adultFiles, MODEL_FILE } from "./rows.ts";
import { undoing } from "./undo.ts";

export const BINARY = join(import.meta.dir, "../../dist/sluice");

/** What a version is learned with instead of what the model file says. */
export interface Variant {
  readonly seed?: number;
  readonly rounds?: number;
}

export interface Trained {
  /** The environment of a server of it; a port is still to be set. */
  readonly env: Readonly<Record<string, string>>;
  /** The versions by number, with the files that they are served from. */
  readonly versions: readonly { version: number; digest: string; path: string }[];
  /** Removes the database. */
  drop(): Promise<void>;
}

/** Imports and trains, a version a variant; `database` is a server's URL, null is embedded. */
export async function trainIncome(
  folder: string,
  adult: string,
  database: string | null,
  variants: readonly Variant[],
): Promise<Trained> {
  if (!existsSync(BINARY)) throw new Error("There is no dist/sluice: run `bun run build` first.");
  process.env["SLUICE_TEST_BINARY"] = BINARY;
  const own = database === null ? null : await createDatabase(database);
  const [models, data] = [join(folder, "models"), join(folder, "data")];
  const env = {
    SLUICE_DATA: data,
    SLUICE_MODELS: models,
    SLUICE_ADMIN_TOKEN: ADMIN_TOKEN,
    SLUICE_LOG: "json",
    ...(own === null ? {} : { DATABASE_URL: own.url }),
  };
  const command = async (...args: string[]): Promise<string> => {
    const { code, out, errors } = await run({ args, cwd: folder, env });
    if (code !== 0) throw new Error(`sluice ${args.join(" ")} ended with ${code}: ${errors}${out}`);
    return out;
  };
  try {
    mkdirSync(models);
    const versions = [];
    for (const [i, variant] of variants.entries()) {
      writeFileSync(join(models, "income.toml"), modelFile(variant));
      if (i === 0) await command("import", "income", ...adultFiles(adult));
      console.error(`training the income model ${JSON.stringify(variant)}`);
      const { version, digest } = trainedIn(await command("train", "income", "--json"));
      const path = join(data, "objects", digest.slice(0, 2), digest);
      versions.push({ version, digest, path });
    }
    return { env, versions, drop: async () => own?.drop() };
  } catch (thrown) {
    await own?.drop();
    throw thrown;
  }
}

function modelFile({ seed, rounds }: Variant): string {
  const text = readFileSync(MODEL_FILE, "utf8");
  const set = (from: string, name: string, value?: number) =>
    value === undefined
      ? from
      : from.replace(new RegExp(`^${name} = \\d+`, "m"), `${name} = ${value}`);
  return set(set(text, "seed", seed), "rounds", rounds);
}

/** The version that a run came to, from what `sluice train --json` prints. */
function trainedIn(out: string): { version: number; digest: string } {
  const { steps } = JSON.parse(out) as {
    steps: { step: string; result: Record<string, unknown> | null }[];
  };
  const { version, digest } = steps.find(({ step }) => step === "train")?.result ?? {};
  if (typeof version === "number" && typeof digest === "string") return { version, digest };
  throw new Error(`The training made no version: ${out}`);
}

/** A database of its own on the server of a URL. */
export async function createDatabase(server: string) {
  const name = `sluice_bench_${process.pid}_${Date.now()}`;
  const url = new URL(server);
  url.pathname = `/${name}`;
  const ask = async (statement: string) => {
    const sql = new SQL(server, { max: 1 });
    await sql.unsafe(statement).finally(() => sql.close());
  };
  await ask(`create database ${name}`);
  return { url: url.href, drop: undoing(() => ask(`drop database ${name} with (force)`)) };
}
