/*
 * What most commands are: read the configuration, connect, do something, clean up.
 */
import { type Config, readConfig } from "../config.ts";
import type { Log } from "../log.ts";
import type { Call } from "./client.ts";
import { connect } from "./connect.ts";
import type { Io } from "./io.ts";
import { makeProgress } from "./progress.ts";

export interface Session {
  readonly config: Config;
  readonly call: Call;
  /** A bar for a piece of work, until its share is 1. */
  update(key: string, share: number, text: string): void;
  /** True when this process itself works and tells finer shares than a run's steps do. */
  readonly isFine: boolean;
  /** A line on standard error, for people who watch. */
  note(text: string): void;
  /** The command's answer, on standard output. */
  print(text: string): Promise<void>;
}

/** Runs `work` with a connection that is closed afterwards, however it ends. */
export async function withSession<Result>(
  io: Io,
  work: (session: Session) => Promise<Result>,
): Promise<Result> {
  const config = readConfig(io.environment, io.terminal);
  const progress = makeProgress(io.errors, { lines: true });
  const note = (text: string) => progress.beside(() => io.errors.write(`${text}\n`));
  let isFine = false;
  let waited: string | null = null;
  try {
    const connection = await connect(config, commandLog(note), {
      onProgress: (key, share, text) => {
        isFine = true;
        progress.update(key, share, text);
      },
      onWait: (reason) => {
        if (reason !== waited) note(`waiting: ${reason}`);
        waited = reason;
      },
    });
    try {
      const { call } = connection;
      return await work({
        config,
        call,
        update: progress.update,
        note,
        print: (text) => {
          // Both streams are usually the same terminal: the answer must not follow a bar.
          progress.done();
          return io.print(text);
        },
        get isFine() {
          return isFine;
        },
      });
    } finally {
      await connection.close();
    }
  } finally {
    progress.done();
  }
}

/**
 * The log of an app inside a command: an answer is to be printed, not a story. Only the token that
 * a first start makes is told, because it is told once.
 */
const commandLog = (note: (text: string) => void): Log => ({
  info: (event, fields) => {
    if (event !== "admin_token_made") return;
    note(`admin token: ${fields?.["token"]} (shown once; kept in ${fields?.["file"]})`);
  },
  warn: () => {},
  error: () => {},
});
