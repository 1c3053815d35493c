/*
 * The training child: does the job of its work folder and leaves the result there. It has no
 * database and no network: only that folder.
 */
import { dlopen } from "bun:ffi";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { reasonOf, SluiceError } from "../errors.ts";
import { prepareKernels } from "../kernels.ts";
import { ARTIFACT_FILE, type ChildFailure, type ChildJob, JOB_FILE, RESULT_FILE } from "./job.ts";
import type { OnProgress } from "./trainer.ts";

/**
 * Does the job in `folder` for the process `parent` and returns the exit code; a failure is written
 * there too.
 */
export async function trainChild(folder: string, parent: number): Promise<number> {
  dieWithParent(parent);
  const progress = (share: number, text: string) => {
    process.stdout.write(`${share.toFixed(3)}\t${text}\n`);
  };
  const write = (result: object | ChildFailure) =>
    writeFile(join(folder, RESULT_FILE), JSON.stringify(result));
  try {
    const job = JSON.parse(await readFile(join(folder, JOB_FILE), "utf8"));
    const { result, artifact } = await workOf(job, folder, progress);
    await writeFile(join(folder, ARTIFACT_FILE), artifact);
    await write(result);
    return 0;
  } catch (thrown) {
    const known = thrown instanceof SluiceError;
    await write({
      error: {
        code: known ? thrown.code : "training_error",
        status: known ? thrown.status : 500,
        detail: reasonOf(thrown),
        fix: known ? thrown.fix : "This is a fault of Sluice: report it with the step's log.",
      },
    });
    process.stderr.write(`${thrown instanceof Error ? thrown.stack : thrown}\n`);
    return 1;
  }
}

/** Loads what the kind of work needs and nothing else. */
async function workOf(
  job: ChildJob & { readonly cacheFolder: string },
  folder: string,
  progress: OnProgress,
): Promise<{ result: object; artifact: Uint8Array }> {
  if (job.kind === "market") {
    const { runTraining } = await import("./training.ts");
    await prepareKernels(0);
    return runTraining(job as never, job.cacheFolder, progress);
  }
  if (job.kind === "try") {
    const { tryHere } = await import("./tryout.ts");
    return tryHere(folder, job.cacheFolder);
  }
  const { checkRows, trainRows } = await import("./table/child.ts");
  return job.kind === "check"
    ? checkRows(job as never, folder, progress)
    : trainRows(job as never, folder, job.cacheFolder, progress);
}

/** Asks the kernel to end this process when whoever started it dies (Linux; prctl, option 1). */
function dieWithParent(parent: number): void {
  if (process.platform !== "linux") return;
  const libc = dlopen("libc.so.6", { prctl: { args: ["i32", "u64"], returns: "i32" } });
  libc.symbols.prctl(1, 9);
  libc.close();
  // One that died before it was asked is not told of any more: this process has a new parent.
  if (process.ppid !== parent) process.exit(1);
}
