/*
 * For the tests of trainings: which processes are at work.
 */
import { readdirSync, readFileSync } from "node:fs";

/** Pids of processes that train in the folder. */
export function trainingIn(folder: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
        return command.includes("train-child") && command.includes(folder);
      } catch {
        return false;
      }
    })
    .map(Number);
}
