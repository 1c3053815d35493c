/*
 * A command line from arguments to exit code. Nothing here ends the process: main.ts does.
 */
import { CommanderError } from "commander";
import { exitCodeOf, failureText, usageError } from "./failure.ts";
import type { Io } from "./io.ts";
import { makeProgram } from "./program.ts";

/** Runs the command that the arguments name; failures are told on `io.errors`. */
export async function runCli(args: readonly string[], io: Io): Promise<number> {
  let code = 0;
  const said: string[] = [];
  const program = makeProgram(io, (given) => {
    code = given;
  });
  for (const command of withSubcommands(program)) {
    command.exitOverride().configureOutput({
      writeOut: (text) => said.push(text),
      // The parser's complaints come as an error below, in the same form as every other failure.
      writeErr: () => {},
      getOutHelpWidth: () => 100,
    });
  }
  try {
    await program.parseAsync(args, { from: "user" });
    return code;
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) {
      await io.print(said.join(""));
      return 0;
    }
    const failure = thrown instanceof CommanderError ? usageOf(thrown, args) : thrown;
    io.errors.write(`${failureText(failure, args.includes("--json"))}\n`);
    return exitCodeOf(failure);
  }
}

type Program = ReturnType<typeof makeProgram>;

const withSubcommands = (command: Program): Program[] => [
  command,
  ...command.commands.flatMap((sub) => withSubcommands(sub as Program)),
];

/** A parser's complaint as a usage error. */
function usageOf(error: CommanderError, args: readonly string[]) {
  // Without a subcommand the parser shows its help as an error; "(outputHelp)" is its message.
  const detail = error.code.startsWith("commander.help")
    ? `${args.length === 0 ? "No command" : `No subcommand of "${args[0]}"`} was given.`
    : error.message.replace(/^error: /, "").replace(/\n/g, " ");
  return usageError(detail, "`sluice --help` lists every command.");
}
