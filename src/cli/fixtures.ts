/*
 * For the tests of this room: streams that remember, and a server that answers from a table while
 * the test itself holds the lock of a data folder.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Config, readConfig } from "../config.ts";
import { lockPath, tokenPath } from "../folder.ts";
import { type Lock, takeLock } from "../store/lock.ts";
import type { PipelineRunAnswer, StepAnswer } from "./answers.ts";
import type { Io } from "./io.ts";
import { runCli } from "./run.ts";

export const TOKEN = "sluice_for_the_tests_of_commands";

export interface FakeIo extends Io {
  /** What was printed. */
  readonly out: string[];
  /** What was written to standard error, in one piece. */
  readonly said: () => string;
}

/** Streams that remember, and files from a record. */
export function fakeIo(
  environment: Readonly<Record<string, string>> = {},
  files: Readonly<Record<string, string>> = {},
): FakeIo {
  const out: string[] = [];
  const errors: string[] = [];
  return {
    environment,
    terminal: false,
    errors: { write: (text: string) => errors.push(text) },
    out,
    said: () => errors.join(""),
    print: async (text) => {
      out.push(text);
    },
    read: async (path) => {
      const text = files[path];
      if (text === undefined) throw new Error(`no such file: ${path}`);
      return text;
    },
  };
}

/** An empty data folder that goes away with `dispose`. */
export function dataFolder(): {
  config: Config;
  environment: { SLUICE_DATA: string };
  dispose(): void;
} {
  const folder = mkdtempSync(join(tmpdir(), "sluice-cli-"));
  const environment = { SLUICE_DATA: folder };
  return {
    environment,
    config: readConfig(environment, false),
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export interface Asked {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly token: string | null;
  readonly type: string | null;
  readonly body: string;
}

type Answers = Readonly<Record<string, unknown>>;

/**
 * A server that answers `METHOD /path` from a table: a value as JSON, a list of values one after
 * the other (the last one stays), a Response as it is, and 404 for the rest.
 */
export function fakeServer(answers: Answers) {
  const asked: Asked[] = [];
  const times = new Map<string, number>();
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      const { pathname, search } = new URL(request.url);
      asked.push({
        method: request.method,
        path: pathname + search,
        token: request.headers.get("authorization"),
        type: request.headers.get("content-type"),
        body: await request.text(),
      });
      const key = `${request.method} ${pathname}`;
      const answer = answers[key];
      if (answer === undefined) return problemAnswer(404, { code: "not_found", detail: key });
      if (!Array.isArray(answer)) return answerOf(answer);
      const time = times.get(key) ?? 0;
      times.set(key, time + 1);
      return answerOf(answer[Math.min(time, answer.length - 1)]);
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    asked,
    stop: () => server.stop(true),
  };
}

const answerOf = (answer: unknown): Response =>
  answer instanceof Response ? (answer.clone() as Response) : Response.json(answer);

/** A problem answer as the server makes them. */
export const problemAnswer = (
  status: number,
  members: Readonly<Record<string, unknown>>,
  headers: Readonly<Record<string, string>> = {},
): Response =>
  new Response(JSON.stringify({ title: "Problem", status, fix: "", ...members }), {
    status,
    headers: { "content-type": "application/problem+json", ...headers },
  });

/** A lock that may be released again by the cleaning up after a test. */
export function onceReleased(lock: Lock): Lock {
  let released = false;
  return {
    announce: lock.announce,
    release: () => {
      if (!released) lock.release();
      released = true;
    },
  };
}

/** A data folder that is held, with a server that answers from the table. */
export function heldFolder(answers: Answers) {
  const folder = dataFolder();
  const server = fakeServer(answers);
  const lock = onceReleased(takeLock(lockPath(folder.config)));
  lock.announce(server.url);
  writeFileSync(tokenPath(folder.config), `${TOKEN}\n`, { mode: 0o600 });
  return {
    ...folder,
    server,
    lock,
    dispose: async () => {
      lock.release();
      await server.stop();
      folder.dispose();
    },
  };
}

/** Runs commands against servers that answer from a table, until they are disposed of. */
export function commandRunner() {
  const disposals: (() => unknown)[] = [];
  const run = async (
    args: readonly string[],
    answers: Answers,
    files: Readonly<Record<string, string>> = {},
    environment: Readonly<Record<string, string>> = {},
  ) => {
    const folder = heldFolder(answers);
    disposals.push(folder.dispose);
    const io = fakeIo({ ...folder.environment, ...environment }, files);
    const code = await runCli(args, io);
    const all = folder.server.asked;
    return {
      code,
      out: io.out.join("\n"),
      said: io.said(),
      /** What the server was asked, in order: in short, the bodies (null when empty), in full. */
      asked: all.map(({ method, path }) => `${method} ${path}`),
      bodies: all.map(({ body }) => (body === "" ? null : body)),
      all,
    };
  };
  const dispose = async () => {
    for (const one of disposals.splice(0)) await one();
  };
  return { run, dispose };
}

/** A step that waits, but for what is given. */
export const step = (given: Partial<StepAnswer>): StepAnswer => ({
  step: "collect",
  status: "waiting",
  attempts: 1,
  started_at: null,
  ended_at: null,
  elapsed_ms: null,
  result: null,
  log: [],
  ...given,
});

/** A pipeline run that has succeeded without steps, but for what is given. */
export const pipelineRun = (given: Partial<PipelineRunAnswer>): PipelineRunAnswer => ({
  id: "0196a1b2-0000-7000-8000-000000000001",
  pipeline: "btc",
  slot: "2025-01-01T00:00:00Z",
  kind: "retrain",
  status: "succeeded",
  attempts: 1,
  created_at: "2025-01-01T00:00:00Z",
  started_at: null,
  ended_at: null,
  reason: null,
  detail: null,
  options: {},
  steps: [],
  ...given,
});
