/*
 * What an operator decides: which version serves, and whether a schedule runs.
 */
import type { MovedAnswer, PausedAnswer } from "./answers.ts";
import type { Io, JsonOption } from "./io.ts";
import { withSession } from "./session.ts";

export interface PromoteOptions extends JsonOption {
  readonly expected?: number;
  readonly force?: boolean;
}

/** Makes a version champion; refused when a gate failed or `--expected` does not hold. */
export const promote = (
  io: Io,
  model: string,
  version: number,
  { expected, force, json }: PromoteOptions,
): Promise<number> =>
  move(io, `/admin/models/${encodeURIComponent(model)}/promote`, json, {
    version,
    ...(expected === undefined ? {} : { expected }),
    ...(force === true ? { force } : {}),
  });

/** Makes the champion before the current one champion again. */
export const rollback = (io: Io, model: string, { json }: JsonOption): Promise<number> =>
  move(io, `/admin/models/${encodeURIComponent(model)}/rollback`, json);

const move = (io: Io, path: string, json?: boolean, body?: object): Promise<number> =>
  withSession(io, async ({ call, print }) => {
    const answer = await call<MovedAnswer>("POST", path, body);
    const { model, version, previous, changed } = answer;
    if (json) await print(JSON.stringify(answer));
    else if (!changed) await print(`${model}: version ${version} is champion already.`);
    else {
      const before = previous === null ? "" : ` (before: version ${previous})`;
      await print(`${model}: version ${version} is champion${before}.`);
    }
    return 0;
  });

/** Pauses a pipeline's schedule, or lifts the pause. */
export const setPaused = (
  io: Io,
  pipeline: string,
  paused: boolean,
  { json }: JsonOption,
): Promise<number> =>
  withSession(io, async ({ call, print }) => {
    const verb = paused ? "pause" : "resume";
    const answer = await call<PausedAnswer>(
      "POST",
      `/admin/schedules/${encodeURIComponent(pipeline)}/${verb}`,
    );
    const said = paused
      ? `${pipeline} is paused: no scheduled runs until it is resumed.`
      : `${pipeline} runs on its schedule again; one run catches up.`;
    await print(json ? JSON.stringify(answer) : said);
    return 0;
  });
