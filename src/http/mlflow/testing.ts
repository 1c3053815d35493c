/*
 * The protocol over a database of its own, for tests: the app as it is, with the real registry
 * behind it and nothing else.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../../config.ts";
import { makeMlflow } from "../../registry/mlflow.ts";
import type { Check } from "../../registry/register.ts";
import { makeTracking } from "../../registry/tracking.ts";
import { folderObjects, type Objects } from "../../store/objects.ts";
import type { TestDatabase } from "../../store/testing.ts";
import type { HttpServices } from "../services.ts";
import {
  ADMIN,
  type AskInit,
  makeTestApp,
  makeWorld,
  NOW,
  servicesOf,
  type TestAnswer,
  type World,
} from "../testing.ts";

export interface Tracked {
  readonly world: World;
  readonly services: HttpServices;
  readonly database: Awaited<ReturnType<TestDatabase["open"]>>;
  readonly objects: Objects;
  /** The time of the services, in milliseconds; a test moves it. */
  readonly clock: { at: number; now(): number };
  ask(method: string, path: string, init?: AskInit): Promise<TestAnswer>;
  /** A GET below /api/2.0/mlflow with this query; the JSON of a 200, or it throws. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely.
  get(path: string, query?: Readonly<Record<string, string>>): Promise<any>;
  /** A POST below /api/2.0/mlflow; the JSON of a 200, or it throws. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely.
  post(path: string, body?: unknown): Promise<any>;
  /** What a POST is refused with: its status, kind and sentence. */
  refused(path: string, body?: unknown): Promise<[number, string, string]>;
  close(): Promise<void>;
}

/** An app that speaks the protocol over a fresh database and folder. */
export async function openTracked(
  on: TestDatabase,
  options: {
    readonly config?: Partial<Config>;
    readonly services?: Partial<HttpServices>;
    /** What loading a version would say; it accepts everything unless given. */
    readonly check?: Check;
    /** Where its bytes are; a folder of its own unless given. */
    readonly objects?: Objects;
  } = {},
): Promise<Tracked> {
  const folder = await mkdtemp(join(tmpdir(), "sluice-mlflow-"));
  const database = await on.open();
  const objects = options.objects ?? folderObjects(folder);
  const clock = {
    at: NOW,
    now() {
      return this.at;
    },
  };
  const world = makeWorld();
  const mlflow = makeMlflow({
    ...{ database, objects, clock },
    check: options.check ?? (async () => {}),
    onMoved: async () => {},
  });
  const services: HttpServices = {
    ...servicesOf(world),
    clock,
    tracking: makeTracking({ database, objects, clock }),
    mlflow,
    ...options.services,
  };
  const { ask } = makeTestApp({
    services: () => services,
    ...(options.config === undefined ? {} : { config: options.config }),
  });
  const good = ({ status, json, text }: TestAnswer) => {
    if (status !== 200) throw new Error(`${status}: ${text}`);
    return json;
  };
  return {
    ...{ world, services, database, objects, clock, ask },
    get: async (path, query = {}) =>
      good(await ask("GET", `/api/2.0/mlflow/${path}?${new URLSearchParams(query)}`)),
    post: async (path, body = {}) =>
      good(await ask("POST", `/api/2.0/mlflow/${path}`, { body, token: ADMIN })),
    refused: async (path, body = {}) => {
      const { status, json } = await ask("POST", `/api/2.0/mlflow/${path}`, { body });
      return [status, json.error_code, json.message];
    },
    close: async () => {
      await database.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
