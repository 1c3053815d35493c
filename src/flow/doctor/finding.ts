/*
 * What a check has found.
 */
import { reasonOf, SluiceError } from "../../errors.ts";
import { inTime } from "../../late.ts";

export type FindingState = "ok" | "warning" | "failed";

export interface Finding {
  readonly check: string;
  readonly state: FindingState;
  readonly found: string;
  /** What to do about it; null where all is well. */
  readonly fix: string | null;
}

export const ok = (check: string, found: string): Finding => ({
  ...{ check, found },
  state: "ok",
  fix: null,
});

export const warning = (check: string, found: string, fix: string): Finding => ({
  ...{ check, found, fix },
  state: "warning",
});

export const failed = (check: string, found: string, fix: string): Finding => ({
  ...{ check, found, fix },
  state: "failed",
});

/** One thing that was thrown, as a finding; `fix` where the error itself knows none. */
export const failedBy = (check: string, thrown: unknown, fix: string): Finding =>
  failed(
    check,
    reasonOf(thrown),
    thrown instanceof SluiceError && thrown.fix !== "" ? thrown.fix : fix,
  );

/** What the work finds; a deadline that passes, or what it throws, is itself the finding. */
export async function found(
  check: string,
  fix: string,
  work: () => Promise<Finding | readonly Finding[]>,
  deadlineMs = DEADLINE_MS,
): Promise<readonly Finding[]> {
  const late = () => {
    throw new Error(`No answer in ${deadlineMs / 1_000} s.`);
  };
  try {
    return [await inTime(work(), deadlineMs, late)].flat();
  } catch (thrown) {
    return [failedBy(check, thrown, fix)];
  }
}

const DEADLINE_MS = 10_000;

/** Bytes as people read them. */
export const bytesText = (bytes: number): string => {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = bytes < 1 ? 0 : Math.min(4, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1_000 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
};
