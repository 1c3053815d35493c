/*
 * What stories of versions from outside are told with: a program without a market, and its
 * commands. Nothing is trained, so such a story takes no longer than what it tells.
 */
import { randomBytes } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import * as v from "valibot";
import { predictAnswer, registeredAnswer } from "../src/http/answers.ts";
import {
  asJson,
  type Launched,
  launch,
  run,
  type Served,
  type ServeOptions,
  served,
} from "./served.ts";

type Variables = Readonly<Record<string, string>>;

export interface Outside {
  readonly folder: string;
  /** What a process of the story is started with. */
  options(more?: Variables): ServeOptions;
  /** Starts the program and waits until it is ready. */
  start(more?: Variables): Promise<Served>;
  /** Runs a command; its answer as JSON. */
  command<Answer>(args: readonly string[], more?: Variables): Promise<Answer>;
  close(): Promise<void>;
}

/** A story in a folder of its own; `env` is beside what every process of it has. */
export function openOutside(env: Variables = {}): Outside {
  const folder = mkdtempSync(join(tmpdir(), "sluice-outside-"));
  const models = join(folder, "models");
  mkdirSync(models);
  // A table waits for its rows and keeps nobody waiting.
  cpSync(join(import.meta.dir, "..", "models", "income.toml"), join(models, "income.toml"));
  const base = {
    SLUICE_DATA: join(folder, "data"),
    SLUICE_MODELS: models,
    UPBIT_URL: "http://127.0.0.1:9",
    ...env,
  };
  const mine: Launched[] = [];
  const options = (more: Variables = {}) => ({ cwd: folder, env: { ...base, ...more } });
  return {
    folder,
    options,
    start: async (more) => {
      const launched = launch(options(more));
      mine.push(launched);
      const app = await served(launched);
      await app.ready();
      return app;
    },
    command: async (args, more) => {
      const { code, out, errors } = await run({ ...options(more), args: [...args, "--json"] });
      if (code !== 0) throw new Error(`${args.join(" ")}: ${code} ${out} ${errors}`);
      return JSON.parse(out);
    },
    close: async () => {
      await Promise.all(mine.map((each) => each.kill()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Registers a file by the route. */
export async function register(app: Served, model: string, bytes: Uint8Array) {
  const answer = await app.fetch(`/admin/models/${model}/versions`, {
    method: "POST",
    headers: { "content-type": "application/octet-stream" },
    body: bytes as Uint8Array<ArrayBuffer>,
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${answer.status} ${text}`);
  return v.parse(registeredAnswer, JSON.parse(text));
}

/** Rows asked of a model; what is no 200 is thrown with its body. */
export async function predict(app: Served, ref: string, instances: readonly object[]) {
  const answer = await app.fetch(`/v1/models/${ref}/predict`, asJson({ instances }));
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${answer.status} ${text}`);
  return v.parse(predictAnswer, JSON.parse(text));
}

/** A database of its own on a server, which is dropped at the end. */
export async function freshDatabase(
  server: string,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const name = `sluice_outside_${randomBytes(6).toString("hex")}`;
  const administer = async (statement: string) => {
    const client = postgres(server, { max: 1, onnotice: () => {} });
    try {
      await client.unsafe(statement);
    } finally {
      await client.end();
    }
  };
  await administer(`create database ${name}`);
  const own = new URL(server);
  own.pathname = `/${name}`;
  return { url: own.href, close: () => administer(`drop database ${name} with (force)`) };
}
