/*
 * A file that is there whole or not at all.
 */
import { rmSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { constants } from "node:os";
import { reasonOf, SluiceError } from "../errors.ts";

/** A file that is not under its name yet. */
export interface Aside {
  readonly path: string;
  /** Puts bytes into it, in place of what it had; `cannot_write`. */
  write(bytes: AsyncIterable<Uint8Array>): Promise<void>;
}

/**
 * Lets `work` write a file beside `path`, which is then renamed to it. Where `work` fails, or the
 * process is told to end, what it wrote is removed and what was under the name stays.
 */
export async function writeAside<Result>(
  path: string,
  work: (aside: Aside) => Promise<Result>,
): Promise<Result> {
  const aside = `${path}.${crypto.randomUUID()}`;
  const write = async (bytes: AsyncIterable<Uint8Array>): Promise<void> => {
    const file = await named(path, () => open(aside, "w", 0o600));
    try {
      for await (const chunk of bytes) await named(path, () => file.writeFile(chunk));
      await named(path, () => file.sync());
    } finally {
      await file.close();
    }
  };
  const leave = (signal: "SIGINT" | "SIGTERM") => {
    rmSync(aside, { force: true });
    process.exit(128 + constants.signals[signal]);
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, leave);
  try {
    const result = await work({ path: aside, write });
    await named(path, () => rename(aside, path));
    return result;
  } catch (thrown) {
    await rm(aside, { force: true }).catch(() => {});
    throw thrown;
  } finally {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, leave);
  }
}

/** The work on a file; what fails of it tells of the file. */
async function named<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (thrown) {
    throw new SluiceError({
      code: "cannot_write",
      detail: `${path} cannot be written: ${reasonOf(thrown)}.`,
      fix: "Name a file in a folder that exists, that you may write to, and that has room.",
      cause: thrown,
    });
  }
}
