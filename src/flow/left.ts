/*
 * What processes that were killed left in the folder of work.
 */
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { PipelineRuns } from "../store/pipeline-runs.ts";
import { TRIED } from "./tryout.ts";

/** Longer than a file is tried, with all that wait for their turn. */
const TRIED_MS = 60 * 60_000;

/**
 * Removes work folders of runs that have ended. That of a file which is tried belongs to no run: it
 * goes when it is older than any of them.
 */
export async function removeLeftWork(
  folder: string,
  runs: Pick<PipelineRuns, "run">,
  now = Date.now(),
): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name);
    if (name.startsWith(TRIED)) {
      const begun = (await stat(path).catch(() => null))?.mtimeMs ?? now;
      if (now - begun < TRIED_MS) continue;
    } else {
      const status = (await runs.run(name))?.status;
      if (status === "queued" || status === "running") continue;
    }
    await rm(path, { recursive: true, force: true });
  }
}
