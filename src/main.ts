/*
 * The command line: arguments in, exit code out. Everything is loaded when it is needed, so that
 * the training child and small commands start at once.
 */
import process from "node:process";

const args = process.argv.slice(2);

for (const event of ["unhandledRejection", "uncaughtException"] as const) {
  process.on(event, (thrown: unknown) => void endBadly(thrown));
}

process.exit(await run());

async function run(): Promise<number> {
  // The server's own training process (src/flow/trainer.ts); not a command for people.
  const [command, folder, parent] = args;
  if (command === "train-child" && folder !== undefined && parent !== undefined) {
    const { trainChild } = await import("./flow/child.ts");
    return trainChild(folder, Number(parent));
  }
  const { processIo } = await import("./cli/io.ts");
  const { runCli } = await import("./cli/run.ts");
  return runCli(args, processIo());
}

/** A fault that nobody caught leaves the program in an unknown state: it is logged, and the end. */
async function endBadly(thrown: unknown): Promise<never> {
  const { logFatal } = await import("./cli/failure.ts");
  await logFatal(thrown, args, process.stdout.isTTY === true);
  process.exit(1);
}
