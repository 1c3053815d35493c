/*
 * The two that are compared: what each is started with, and how it is asked.
 */
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../../scripts/services/process.ts";
import { ADMIN_TOKEN } from "../../tests/served.ts";
import { MODEL_FILE } from "../serve/rows.ts";
import { type Server, type Start, startServer } from "../serve/server.ts";
import { bytesOf, type Call } from "./load.ts";
import type { Tables } from "./search.ts";

/** Where a server keeps what it is told. */
export interface Stores {
  /** A folder of its own: the embedded database, files, the log. */
  readonly folder: string;
  /** Null: the embedded one. */
  readonly database: string | null;
  /** Further servers, as variables of Sluice. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Side {
  readonly title: string;
  readonly tables: Tables;
  readonly headers: Readonly<Record<string, string>>;
  start(port: number, stores: Stores): Start;
}

/** A server that runs, and how it is asked. */
export interface Running extends Server {
  readonly side: Side;
  readonly url: URL;
  readonly database: string | null;
  bytes(call: Call): Buffer;
  /** The JSON of an answer; throws with an answer that is no 2xx. */
  ask<Answer>(call: Call): Promise<Answer>;
}

/** The compiled binary as it comes, with the file of a table that nothing was learned from. */
export const sluice = (binary: string, title = "Sluice"): Side => ({
  title,
  tables: "sluice",
  headers: { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": "application/json" },
  start: (port, { folder, database, env = {} }) => {
    const models = join(folder, "models");
    mkdirSync(models, { recursive: true });
    cpSync(MODEL_FILE, join(models, "income.toml"));
    return {
      command: [binary, "serve"],
      cwd: folder,
      log: join(folder, "log"),
      env: {
        SLUICE_PORT: `${port}`,
        SLUICE_DATA: join(folder, "data"),
        SLUICE_MODELS: models,
        SLUICE_ADMIN_TOKEN: ADMIN_TOKEN,
        SLUICE_LOG: "json",
        SLUICE_DRAIN: "0",
        // No exchange is asked: nothing here is of a market.
        UPBIT_URL: "http://127.0.0.1:9",
        ...(database === null ? {} : { DATABASE_URL: database }),
        ...env,
      },
    };
  },
});

/** `mlflow server` of that Python; null: as many workers as it comes with. */
export const stock = (python: string, workers: number | null): Side => ({
  title: `mlflow server${workers === null ? "" : `, ${workers} worker${workers > 1 ? "s" : ""}`}`,
  tables: "mlflow",
  headers: { "content-type": "application/json" },
  start: (port, { folder, database }) => {
    if (database === null) throw new Error("mlflow server is measured on Postgres.");
    const flags = ["--host", "127.0.0.1", "--port", `${port}`];
    flags.push("--backend-store-uri", database.replace(/^postgres(ql)?:/, "postgresql+psycopg2:"));
    flags.push("--artifacts-destination", join(folder, "artifacts"));
    if (workers !== null) flags.push("--workers", `${workers}`);
    return {
      command: [python, "-m", "mlflow", "server", ...flags],
      cwd: folder,
      log: join(folder, "log"),
      env: { MLFLOW_DISABLE_TELEMETRY: "true", PYTHONDONTWRITEBYTECODE: "1" },
    };
  },
});

/** Starts it and waits for the first 200 of /health. */
export async function run(side: Side, stores: Stores): Promise<Running> {
  mkdirSync(stores.folder, { recursive: true });
  const port = freePort();
  const url = new URL(`http://127.0.0.1:${port}`);
  const health = new URL("/health", url);
  const server = await startServer(side.start(port, stores), async () => {
    const answer = await fetch(health, { keepalive: false });
    await answer.text();
    return answer.status === 200;
  });
  return {
    ...server,
    ...{ side, url, database: stores.database },
    bytes: (call) => bytesOf(url, side.headers, call),
    ask: async ({ method, path, body }) => {
      const answer = await fetch(new URL(path, url), {
        method,
        headers: side.headers,
        // A connection that rested meanwhile may be closed as it is used again.
        keepalive: false,
        ...(body === undefined ? {} : { body }),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${side.title}: ${answer.status} ${text.slice(0, 500)}`);
      return JSON.parse(text);
    },
  };
}
