/*
 * Every command, its options and its help. What a command does is loaded when it is called, so
 * that `sluice version` does not wait for a database driver.
 */
import { Command, Option } from "commander";
import { SCOPES } from "../store/token.ts";
import type { BacktestOptions } from "./backtest.ts";
import type { BackupOptions } from "./backup.ts";
import type { CollectOptions, VerifyOptions } from "./collect.ts";
import type { PromoteOptions } from "./control.ts";
import type { ImportOptions } from "./import.ts";
import type { ImportMlflowOptions } from "./import-mlflow.ts";
import type { Io, JsonOption } from "./io.ts";
import type { RunsOptions } from "./lists.ts";
import type { MigrateOptions } from "./migrate.ts";
import {
  parseDate,
  parsePart,
  parsePostgres,
  parseScopes,
  parseShare,
  parseWhole,
} from "./parse.ts";
import type { AskOptions } from "./predict.ts";
import type { RegisterOptions } from "./register.ts";
import type { CreateOptions } from "./token.ts";

const EXPLAIN = "tell also what each column had to do with it";

const HELP_AFTER = `
A command talks to the server of the same data folder (SLUICE_DATA, ./.sluice) while one runs, and
does the work itself otherwise. Everything is set by environment variables: docs/operations.md.

Exit codes: 0 done, 1 failed, 2 usage, 3 data folder held by another process, 78 configuration.`;

/** The parser over all commands; `done` is told the exit code of the one that ran. */
export function makeProgram(io: Io, done: (code: number) => void): Command {
  const program = new Command("sluice")
    .description("Continuous training in one file: collect, verify, train, gate, promote, serve.")
    .helpCommand("help [command]", "tell more about a command")
    .addHelpText("after", HELP_AFTER);
  /** Runs what a command does and hands on its exit code. */
  const act =
    <Args extends unknown[]>(work: (...args: Args) => Promise<number>) =>
    async (...args: Args): Promise<void> =>
      done(await work(...args));
  addServers(program, io, act);
  addData(program, io, act);
  addTables(program, io, act);
  addMlflow(program, io, act);
  addModels(program, io, act);
  addFlow(program, io, act);
  addTokens(program, io, act);
  addRest(program, io, act);
  return program;
}

type Act = <Args extends unknown[]>(
  work: (...args: Args) => Promise<number>,
) => (...args: Args) => Promise<void>;

/** A command with an example in its help. */
const add = (parent: Command, usage: string, about: string, example: string): Command =>
  parent
    .command(usage)
    .description(about)
    .addHelpText("after", `\nExample:\n  $ sluice ${example}`);

/** A command that prints an answer, which `--json` prints as it came. */
const addAnswering = (parent: Command, usage: string, about: string, example: string): Command =>
  add(parent, usage, about, example).option("--json", "print JSON");

function addServers(program: Command, io: Io, act: Act): void {
  add(program, "serve", "serve everything and keep models trained", "serve").action(
    act(async () => (await import("./serve.ts")).serve(io)),
  );
  add(program, "worker", "do the work only, beside servers that answer", "worker").action(
    act(async () => (await import("./serve.ts")).serve(io, "worker")),
  );
  add(program, "demo", "the whole loop offline, on a SIMULATED exchange", "demo").action(
    act(async () => (await import("./serve.ts")).demo(io)),
  );
  add(program, "up", "live if Upbit can be reached, else the demo", "up").action(
    act(async () => (await import("./serve.ts")).up(io)),
  );
}

function addData(program: Command, io: Io, act: Act): void {
  const example = "collect --market KRW-BTC --since 2024-01-01";
  addAnswering(program, "collect", "collect candles now", example)
    .option("--market <market>", "this market only, such as KRW-BTC")
    .option("--since <date>", "from this day on, such as 2024-01-01", parseDate)
    .action(
      act(async (options: CollectOptions) => (await import("./collect.ts")).collect(io, options)),
    );
  addAnswering(program, "verify", "check what is stored; exit code 1 when a check fails", "verify")
    .option("--market <market>", "this market only, such as KRW-BTC")
    .action(
      act(async (options: VerifyOptions) => (await import("./collect.ts")).verify(io, options)),
    );
}

function addTables(program: Command, io: Io, act: Act): void {
  const example = "import income adult.data adult.test";
  addAnswering(program, "import", "import rows of a table from CSV files", example)
    .argument("<model>", "such as income")
    .argument("[files...]", "CSV files, also compressed by gzip")
    .option("--part <part>", "what the rows are for: train or test", parsePart)
    .option("--download", "get the files that the model file names, checked by their sha256")
    .action(
      act(async (model: string, files: readonly string[], options: ImportOptions) =>
        (await import("./import.ts")).importFiles(io, model, files, options),
      ),
    );
}

function addMlflow(program: Command, io: Io, act: Act): void {
  const about = "bring everything of an MLflow server over; start it again to go on";
  const example = "import-mlflow --from http://127.0.0.1:5000";
  addAnswering(program, "import-mlflow", about, example)
    .requiredOption(
      "--from <address>",
      "the server, its database (sqlite:///… postgresql://…) or ./mlruns",
    )
    .option("--artifacts <root>", "of a database: the folder or s3://bucket/prefix of its files")
    .option("--skip-deleted", "without what is deleted there, which else comes and is deleted here")
    .action(
      act(async (options: ImportMlflowOptions) =>
        (await import("./import-mlflow.ts")).importMlflow(io, options),
      ),
    );
}

function addModels(program: Command, io: Io, act: Act): void {
  addAnswering(program, "train", "train now; the gates decide on promotion", "train btc")
    .argument("<model>", "such as btc")
    .action(
      act(async (model: string, options: JsonOption) =>
        (await import("./train.ts")).train(io, model, options),
      ),
    );
  const walk = "backtest btc --from 2025-01-01";
  addAnswering(program, "backtest", "walk a market model forward through the past", walk)
    .argument("<model>", "such as btc")
    .option("--from <date>", "judge from this day on, such as 2025-01-01", parseDate)
    .option("--to <date>", "judge up to this day", parseDate)
    .option("--every <n>", "candles between two trainings", parseWhole(1, 100_000))
    .option("--cost <share>", "of the amount, for each buying and selling", parseShare, 0.0005)
    .option("--out <folder>", "where backtest-<model>.html and .json are left", ".")
    .action(
      act(async (model: string, options: BacktestOptions) =>
        (await import("./backtest.ts")).backtest(io, model, options),
      ),
    );
  addAnswering(program, "predict", "predict rows given as JSON or CSV", "predict btc rows.csv")
    .argument("<model>", "such as btc")
    .argument("[file]", "a file, or - for standard input", "-")
    .option("--explain", EXPLAIN)
    .action(
      act(async (model: string, file: string, options: AskOptions) =>
        (await import("./predict.ts")).predict(io, model, file, options),
      ),
    );
  addAnswering(program, "forecast", "the next candle, as the champion sees it", "forecast btc")
    .argument("<model>", "such as btc")
    .option("--explain", EXPLAIN)
    .action(
      act(async (model: string, options: AskOptions) =>
        (await import("./predict.ts")).forecast(io, model, options),
      ),
    );
  addAnswering(program, "models", "models and their champions", "models").action(
    act(async (options: JsonOption) => (await import("./lists.ts")).models(io, options)),
  );
  addAnswering(program, "runs", "trainings, newest first", "runs btc --limit 5")
    .argument("[model]", "of this model only")
    .option("--limit <n>", "how many at most", parseWhole(1, 1_000), 20)
    .action(
      act(async (model: string | undefined, options: RunsOptions) =>
        (await import("./lists.ts")).runs(io, model, options),
      ),
    );
  const about = "register an ONNX file as a version, whatever it was made with";
  addAnswering(program, "register", about, "register iris pipeline.onnx")
    .argument("<model>", "such as iris; made where there is none of that name")
    .argument("<file>", "an ONNX file, at most 256 MiB")
    .option("--description <text>", "what it is, in words")
    .action(
      act(async (model: string, file: string, options: RegisterOptions) =>
        (await import("./register.ts")).register(io, model, file, options),
      ),
    );
  const example = "promote btc 12 --expected 11";
  addAnswering(program, "promote", "make a version the champion", example)
    .argument("<model>", "such as btc")
    .argument("<version>", "the number of the version", parseWhole(1))
    .option("--expected <n>", "only while this version is champion", parseWhole(1))
    .option("--force", "even if a gate failed; the history keeps that")
    .action(
      act(async (model: string, version: number, options: PromoteOptions) =>
        (await import("./control.ts")).promote(io, model, version, options),
      ),
    );
  addAnswering(program, "rollback", "go back to the champion before", "rollback btc")
    .argument("<model>", "such as btc")
    .action(
      act(async (model: string, options: JsonOption) =>
        (await import("./control.ts")).rollback(io, model, options),
      ),
    );
}

function addFlow(program: Command, io: Io, act: Act): void {
  addAnswering(program, "pipelines", "pipelines and their newest runs", "pipelines").action(
    act(async (options: JsonOption) => (await import("./lists.ts")).pipelines(io, options)),
  );
  addAnswering(program, "pause", "no scheduled runs until it is resumed", "pause btc")
    .argument("<pipeline>", "such as btc")
    .action(
      act(async (pipeline: string, options: JsonOption) =>
        (await import("./control.ts")).setPaused(io, pipeline, true, options),
      ),
    );
  addAnswering(program, "resume", "lift a pause; one run catches up", "resume btc")
    .argument("<pipeline>", "such as btc")
    .action(
      act(async (pipeline: string, options: JsonOption) =>
        (await import("./control.ts")).setPaused(io, pipeline, false, options),
      ),
    );
}

function addTokens(program: Command, io: Io, act: Act): void {
  const token = program.command("token").description("bearer tokens of those who call the server");
  addAnswering(token, "create", "make a token and show it, once", "token create ci --scope read")
    .argument("<name>", "who it is for")
    .requiredOption("--scope <scope...>", `what it may do: ${SCOPES.join(", ")}`, parseScopes)
    .action(
      act(async (name: string, options: CreateOptions) =>
        (await import("./token.ts")).createToken(io, name, options),
      ),
    );
  addAnswering(token, "list", "tokens by name, without the tokens", "token list").action(
    act(async (options: JsonOption) => (await import("./token.ts")).listTokens(io, options)),
  );
  addAnswering(token, "revoke", "end a token", "token revoke ci")
    .argument("<name>", "whose it is")
    .action(
      act(async (name: string, options: JsonOption) =>
        (await import("./token.ts")).revokeToken(io, name, options),
      ),
    );
}

function addRest(program: Command, io: Io, act: Act): void {
  addAnswering(program, "backup", "everything of one moment in one file", "backup sluice.tar")
    .argument("<file>", "where to; written aside, checked, then renamed")
    .option("--skip-missing", "go on without artifacts that the object store does not have")
    .action(
      act(async (file: string, options: BackupOptions) =>
        (await import("./backup.ts")).backup(io, file, options),
      ),
    );
  addAnswering(program, "restore", "a backup into an empty database", "restore sluice.tar")
    .argument("<file>", "what sluice backup has written")
    .action(
      act(async (file: string, options: JsonOption) =>
        (await import("./restore.ts")).restore(io, file, options),
      ),
    );
  addAnswering(program, "migrate", "bring the database to this version's schema", "migrate")
    .addOption(new Option("--from <kind>", "move from this").choices(["embedded"]))
    .option("--to <url>", "to this empty Postgres, as postgres://user@host/name", parsePostgres)
    .action(
      act(async (options: MigrateOptions) =>
        (await import("./migrate.ts")).migrateNow(io, options),
      ),
    );
  const doctor = "check everything it stands on; exit code 1 when a check fails";
  addAnswering(program, "doctor", doctor, "doctor").action(
    act(async (options: JsonOption) => (await import("./doctor.ts")).doctor(io, options)),
  );
  addAnswering(program, "version", "the version of this program", "version").action(
    act(async (options: JsonOption) => (await import("./version.ts")).printVersion(io, options)),
  );
}
