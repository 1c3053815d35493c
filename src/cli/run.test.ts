import { afterEach, describe, expect, test } from "bun:test";
import { version } from "../../package.json";
import { dataFolder, fakeIo } from "./fixtures.ts";
import { makeProgram } from "./program.ts";
import { runCli } from "./run.ts";

const disposals: (() => unknown)[] = [];
afterEach(() => {
  for (const dispose of disposals.splice(0)) dispose();
});

describe("usage", () => {
  test.each([
    [[], "No command was given"],
    [["frobnicate"], "unknown command 'frobnicate'"],
    [["modls"], "Did you mean models?"],
    [["train"], "missing required argument 'model'"],
    [["models", "extra"], "too many arguments"],
    [["models", "--jsn"], "Did you mean --json?"],
    [["promote", "btc", "first"], "'first' is invalid for argument 'version'"],
    [["promote", "btc", "3", "--expected", "0"], "whole number from 1 up"],
    [["backtest", "btc", "--cost", "1"], "a share from 0 to below 1"],
    [["backtest", "btc", "--every", "0"], "whole number from 1 to 100000"],
    [["runs", "--limit", "5000"], "whole number from 1 to 1000"],
    [["collect", "--since", "2024-02-30"], "Expected a UTC day in the past"],
    [["token"], 'No subcommand of "token" was given'],
    [["token", "create", "ci"], "required option '--scope <scope...>' not specified"],
    [["token", "create", "ci", "--scope", "root"], "Expected one of read, predict, track, admin"],
  ])("%j ends with 2 and says what is wrong", async (args, said) => {
    const io = fakeIo();
    expect(await runCli(args, io)).toBe(2);
    expect(io.said()).toContain(said);
    expect(io.said()).toContain("sluice --help");
    expect(io.said().trimEnd()).not.toContain("\n");
    expect(io.out).toEqual([]);
  });

  test("with --json the complaint is JSON too", async () => {
    const io = fakeIo();
    expect(await runCli(["models", "--json", "extra"], io)).toBe(2);
    expect(JSON.parse(io.said()).error).toMatchObject({ code: "usage", faults: [] });
  });
});

describe("help", () => {
  test("names every command and the exit codes, on standard output", async () => {
    const io = fakeIo();
    expect(await runCli(["--help"], io)).toBe(0);
    const names =
      "serve worker demo up collect verify train backtest predict forecast models runs pipelines pause " +
      "resume promote rollback token migrate version";
    const shown = io.out.join("");
    for (const name of names.split(" ")) expect(shown).toMatch(new RegExp(`^  ${name}\\b`, "m"));
    expect(shown).toContain("Exit codes: 0 done, 1 failed, 2 usage, 3 data folder held");
    expect(io.said()).toBe("");
  });

  test("every command has an example, and those that print an answer take --json", async () => {
    const silent = new Set(["serve", "worker", "demo", "up"]);
    const program = makeProgram(fakeIo(), () => {});
    const [tokens, ...rest] = [
      ...program.commands.filter((command) => command.name() === "token"),
      ...program.commands.filter((command) => !["token", "help"].includes(command.name())),
    ];
    const named = [
      ...rest.map((command) => [command.name()]),
      ...(tokens?.commands ?? []).map((command) => ["token", command.name()]),
    ];
    expect(named).toHaveLength(28);
    for (const args of named) {
      const io = fakeIo();
      expect(await runCli([...args, "--help"], io)).toBe(0);
      expect(io.out.join("")).toContain(`$ sluice ${args.join(" ")}`);
      expect(io.out.join("").includes("--json")).toBe(!silent.has(args[0]!));
    }
  });
});

describe("version", () => {
  test("tells the version of the package", async () => {
    const io = fakeIo();
    expect(await runCli(["version"], io)).toBe(0);
    expect(io.out).toEqual([`sluice ${version}`]);
  });

  test("and what it runs on, as JSON", async () => {
    const io = fakeIo();
    expect(await runCli(["version", "--json"], io)).toBe(0);
    expect(JSON.parse(io.out[0] ?? "")).toMatchObject({ version, bun: Bun.version });
  });

  test("needs no right configuration", async () => {
    expect(await runCli(["version"], fakeIo({ SLUICE_PORT: "x" }))).toBe(0);
  });
});

describe("configuration", () => {
  test.each(["models", "serve", "worker", "demo", "up", "migrate"])(
    "%s ends with 78, naming the variable, its value and what is accepted",
    async (command) => {
      const io = fakeIo({ SLUICE_PORT: "99999", SLUICE_ADMIN_TOKEN: "changeme" });
      expect(await runCli([command], io)).toBe(78);
      expect(io.said()).toContain('SLUICE_PORT: "99999"');
      expect(io.said()).toContain("65535");
      expect(io.said()).toContain("SLUICE_ADMIN_TOKEN");
      expect(io.said()).not.toContain("changeme");
    },
  );

  test("a folder of models without models ends with 78 too", async () => {
    const { environment, dispose } = dataFolder();
    disposals.push(dispose);
    const io = fakeIo({ ...environment, SLUICE_MODELS: environment.SLUICE_DATA });
    expect(await runCli(["serve"], io)).toBe(78);
    expect(io.said()).toContain("has no *.toml file");
  });
});
