/*
 * What a process takes of the machine, as Linux tells it.
 */
import { readFile } from "node:fs/promises";

export interface Usage {
  /** Resident memory in bytes now, and the most that it ever was. */
  readonly bytes: number;
  readonly peakBytes: number;
  /** Milliseconds that it was at work on a processor, those of its threads together. */
  readonly processorMs: number;
}

/** Of a process by its pid, or of this one; null where it has gone or the system does not tell. */
export async function usageOf(pid: number | "self"): Promise<Usage | null> {
  const [status, stat] = await Promise.all(
    ["status", "stat"].map((file) => readFile(`/proc/${pid}/${file}`, "utf8").catch(() => "")),
  );
  const sizeOf = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status ?? "")?.[1]) * 1_024;
  // The name in parentheses may hold anything; after it the 12th and 13th are ticks of 10 ms.
  const fields = stat?.slice(stat.lastIndexOf(") ") + 2).split(" ") ?? [];
  const usage = {
    ...{ bytes: sizeOf("VmRSS"), peakBytes: sizeOf("VmHWM") },
    processorMs: (Number(fields[11]) + Number(fields[12])) * 10,
  };
  return Object.values(usage).some(Number.isNaN) ? null : usage;
}
