/*
 * Statements straight to the database, each on a connection of its own: it may be gone or stalled
 * at any moment, and what hangs then is let go of.
 */
import postgres from "postgres";

export interface Database {
  /** The rows of a statement; rejects when it did not answer within the deadline. */
  rows<Row extends object = Record<string, unknown>>(
    statement: string,
    parameters?: readonly string[],
    deadlineMs?: number,
  ): Promise<Row[]>;
  readonly url: string;
}

const DEADLINE_MS = 5_000;

export function openDatabase(url: string): Database {
  return {
    url,
    rows: async <Row extends object>(
      statement: string,
      parameters: readonly string[] = [],
      deadlineMs = DEADLINE_MS,
    ) => {
      const client = postgres(url, {
        ...{ max: 1, connect_timeout: 3, onnotice: () => {} },
        connection: { application_name: "faults", TimeZone: "UTC" },
      });
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<never>((_, reject) => {
        const error = new Error(`no answer in ${deadlineMs} ms`);
        timer = setTimeout(() => reject(error), deadlineMs);
      });
      try {
        const work = client.unsafe<Row[]>(statement, [...parameters]);
        return [...(await Promise.race([work, late]))];
      } finally {
        clearTimeout(timer);
        client.end({ timeout: 0 }).catch(() => {});
      }
    },
  };
}
