/*
 * The unmodified Python client of MLflow, as stories ask it. Without a Python that has one its
 * stories are left out, and who leaves them out says so.
 */
import { join } from "node:path";
import { ADMIN_TOKEN, type Served } from "./served.ts";

/** Pythons with a client, of whatever version. */
export const pythons = (process.env["SLUICE_TEST_MLFLOW"] ?? "")
  .split(":")
  .filter((path) => path !== "");

/** What a script of `peers` tells in its last line; what it said before where it fails. */
export async function askClient<Answer>(
  python: string,
  app: Served,
  script: string,
  ...args: readonly string[]
): Promise<Answer> {
  const child = Bun.spawn([python, join(import.meta.dir, "peers", script), app.url, ...args], {
    env: { ...process.env, MLFLOW_TRACKING_TOKEN: ADMIN_TOKEN },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  if ((await child.exited) !== 0) throw new Error(errors.slice(-4_000));
  return JSON.parse(out.trim().split("\n").at(-1) ?? "");
}
