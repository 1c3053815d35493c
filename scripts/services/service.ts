import type { Launch } from "./process.ts";

/** A real server that tests need. `startServices` finds it, gets it, starts it, and ends it. */
export interface Service {
  readonly name: "postgres" | "redis" | "s3";
  /** What the tests read. When all are given from outside, that server is used and none started. */
  readonly variables: readonly string[];
  /** Debian packages that bring the program. */
  readonly packages: readonly string[];
  /** Where the program is on this machine, or null. */
  readonly find: () => string | null;
  /** Makes the program where no package brings it; null when its tools are missing. */
  readonly build?: () => Promise<string | null>;
  /** What was looked for, when it was not found. */
  readonly missing: string;
  /** Starts it in an empty folder; resolves when it answers, rejects with its last words. */
  readonly start: (program: string, folder: string) => Promise<Started>;
}

export interface Started {
  /** A value for each of the service's variables. */
  readonly env: Readonly<Record<string, string>>;
  readonly pid: number;
  /** How it was launched, for whoever stops it and wants it back on the same port and data. */
  readonly launched?: Launch;
  readonly stop: () => Promise<void>;
}
