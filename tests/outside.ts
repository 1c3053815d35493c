/*
 * What stories of versions from outside are told with: a program without a market, and its
 * commands. Nothing is trained, so such a story takes no longer than what it tells.
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
import type { OpenStores, Variables } from "./stores.ts";

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

/** A story in a folder of its own, on stores that are closed with it. */
export function openOutside(stores: Pick<OpenStores, "env"> & Partial<OpenStores>): Outside {
  const folder = mkdtempSync(join(tmpdir(), "sluice-outside-"));
  const models = join(folder, "models");
  mkdirSync(models);
  // A table waits for its rows and keeps nobody waiting.
  cpSync(join(import.meta.dir, "..", "models", "income.toml"), join(models, "income.toml"));
  const base = {
    SLUICE_DATA: join(folder, "data"),
    SLUICE_MODELS: models,
    UPBIT_URL: "http://127.0.0.1:9",
    ...stores.env,
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
      await stores.close?.();
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
