/*
 * `sluice register`: an ONNX file, from whatever made it, as a version of a model.
 */
import { reasonOf } from "../errors.ts";
import type { RegisteredAnswer } from "./answers.ts";
import { usageError } from "./failure.ts";
import type { Io, JsonOption } from "./io.ts";
import { withSession } from "./session.ts";

export interface RegisterOptions extends JsonOption {
  readonly description?: string;
}

/** A version answers when it is loaded and tried. */
const ANSWER_MS = 600_000;

/** Registers a file and prints which version it became. */
export async function register(
  io: Io,
  model: string,
  path: string,
  { description, json }: RegisterOptions,
): Promise<number> {
  const file = Bun.file(path);
  // Looked at before connecting: a file that is not there needs no server to say so.
  const there = await file.stat().catch((thrown) => thrown as Error);
  if (there instanceof Error) throw unreadable(path, reasonOf(there));
  if (!there.isFile()) throw unreadable(path, "it is no file");
  const query = description === undefined ? "" : `?${new URLSearchParams({ description })}`;
  const route = `/admin/models/${encodeURIComponent(model)}/versions${query}`;
  return withSession(io, async ({ call, print }) => {
    const answer = await call<RegisteredAnswer>("POST", route, undefined, {
      contentType: "application/octet-stream",
      stream: () => file.stream(),
      answerMs: ANSWER_MS,
    });
    await print(json ? JSON.stringify(answer) : said(answer));
    return 0;
  });
}

function said({ model, version, digest, unchanged, aliases }: RegisteredAnswer): string {
  if (unchanged) return `${model}: version ${version} has these bytes already (${digest}).`;
  const next = aliases.includes("champion") ? "" : ` Serve it: sluice promote ${model} ${version}`;
  return `${model}: version ${version} is registered (sha256 ${digest}).${next}`;
}

const unreadable = (path: string, reason: string) =>
  usageError(`The file "${path}" cannot be read: ${reason}.`, "Give an ONNX file.");
