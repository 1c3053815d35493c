/*
 * How a command fails: one paragraph (or one JSON object) on standard error and an exit code, which
 * scripts and service managers read. Never a stack trace.
 */
import { reasonOf, SluiceError } from "../errors.ts";
import { plain } from "./format.ts";

/** A map and no object: the codes of servers come from outside. */
const exitCodes: ReadonlyMap<string, number> = new Map([
  ["usage", 2],
  ["folder_locked", 3],
  ["invalid_configuration", 78],
  ["invalid_model_file", 78],
]);

/** Faults that a paragraph tells; `--json` tells them all. */
const FAULTS = 8;

/** 1 failed, 2 usage, 3 data folder held by another process, 78 configuration. */
export const exitCodeOf = (thrown: unknown): number => exitCodes.get(asFailure(thrown).code) ?? 1;

/** What was wrong and what to do: one paragraph, or `{"error":{code,detail,fix,faults}}`. */
export function failureText(thrown: unknown, json: boolean): string {
  const { code, message, fix, faults } = asFailure(thrown);
  if (json) return JSON.stringify({ error: { code, detail: message, fix, faults } });
  // Faults that the sentence has told already are not told twice.
  const untold = faults
    .filter((fault) => !message.includes(fault.message))
    .map((fault) => (fault.path === "" ? fault.message : `${fault.path}: ${fault.message}`));
  const more = untold.length > FAULTS ? [`${untold.length - FAULTS} more faults`] : [];
  const sentences = [message, ...untold.slice(0, FAULTS), ...more, fix]
    .map(sentence)
    .filter((s) => s !== "");
  return `sluice: ${sentences.join(" ")}`;
}

/** The commands whose standard error belongs to a log rather than to a person. */
const servers: ReadonlySet<string | undefined> = new Set(["serve", "worker", "demo", "up"]);

/**
 * Tells of a fault that nobody caught: a server logs it with its stack, which is all that there
 * will be to find the cause by; a command says it like any other failure.
 */
export async function logFatal(
  thrown: unknown,
  args: readonly string[],
  terminal: boolean,
): Promise<void> {
  if (!servers.has(args[0])) {
    process.stderr.write(`${failureText(thrown, args.includes("--json"))}\n`);
    return;
  }
  const { makeLog } = await import("../log.ts");
  const stack = thrown instanceof Error ? thrown.stack : undefined;
  const log = makeLog(terminal ? "pretty" : "json", { now: Date.now });
  log.error("fatal", { reason: reasonOf(thrown), stack });
}

/** A command that was called wrongly; exit code 2. */
export const usageError = (detail: string, fix: string): SluiceError =>
  new SluiceError({ code: "usage", status: 400, detail, fix });

function asFailure(thrown: unknown): SluiceError {
  if (thrown instanceof SluiceError) return thrown;
  return new SluiceError({
    code: "unexpected_failure",
    detail: `An unexpected failure: ${reasonOf(thrown)}`,
    fix: "Try again; when it stays, report it together with the command and the log.",
    cause: thrown,
  });
}

/** One line that ends like a sentence. */
function sentence(text: string): string {
  const line = plain(text).trim();
  return line === "" || /[.!?:]$/.test(line) ? line : `${line}.`;
}
