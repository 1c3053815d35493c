/*
 * Who is measured: how each is started, how it is asked, and how its answer is read.
 */
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../../scripts/services/process.ts";
import { areRight } from "./answers.ts";
import { BINARY } from "./model.ts";
import { type Environment, programOf, runToEnd } from "./python.ts";
import type { Form, Row } from "./rows.ts";
import type { Start } from "./server.ts";

/** Rows, and what the answer about them must say. */
export interface Question {
  readonly rows: readonly Row[];
  readonly expected: readonly number[];
}

export interface Peer {
  readonly title: string;
  readonly form: Form;
  readonly path: string;
  /** The virtual environment that it needs. */
  readonly python?: Environment;
  /** That it answers what it was asked, and no prediction. */
  readonly echoes?: true;
  /** How it is started on a port; what it wants to find is written into `folder`. */
  start(place: Place): Promise<Start>;
  isRight(answer: unknown, question: Question): boolean;
}

export interface Place {
  readonly port: number;
  /** A folder of its own. */
  readonly folder: string;
  /** The ONNX file. */
  readonly model: string;
  /** The environment of a Sluice that has the model. */
  readonly sluice: Readonly<Record<string, string>>;
  /** Where the virtual environments are. */
  readonly pythonRoot: string;
}

const SOURCES = join(import.meta.dir, "python");
const PREDICT = "/v1/models/income/predict";

export const PEERS: Readonly<Record<string, Peer>> = {
  sluice: {
    title: "**Sluice**",
    form: "instances",
    path: PREDICT,
    start: startSluice,
    isRight: isPredictions,
  },
  "sluice-v2": {
    title: "**Sluice**, V2 protocol",
    form: "v2",
    path: "/v2/models/income/infer",
    start: startSluice,
    isRight: isOutputs,
  },
  echo: echo("Bun.serve, echo", "echo.ts"),
  hono: echo("Hono, echo", "hono.ts"),
  fastapi: {
    title: "FastAPI",
    form: "instances",
    path: "/predict",
    python: "fastapi",
    isRight: isPredictions,
    start: async (place) => {
      const quiet = ["--no-access-log", "--log-level", "warning"];
      const flags = ["--port", `${place.port}`, "--workers", "1", ...quiet];
      return inPython(place, "fastapi", ["uvicorn", "fastapi_app:app", ...flags]);
    },
  },
  bentoml: {
    title: "BentoML",
    form: "instances",
    path: "/predict",
    python: "bentoml",
    isRight: (answer, question) => isPredictions({ predictions: answer }, question),
    start: async (place) => {
      const flags = ["--host", "127.0.0.1", "--port", `${place.port}`];
      return inPython(place, "bentoml", ["bentoml", "serve", "bento_service:Income", ...flags]);
    },
  },
  mlserver: {
    title: "MLServer",
    form: "v2",
    path: "/v2/models/income/infer",
    python: "mlserver",
    isRight: isOutputs,
    start: async (place) => {
      const write = (file: string, value: unknown) =>
        writeFileSync(join(place.folder, file), JSON.stringify(value));
      write("settings.json", {
        ...{ host: "127.0.0.1", http_port: place.port, debug: false },
        ...{ grpc_port: freePort(), metrics_port: freePort() },
        // In the server's own process: handing such short calls to a worker costs more.
        parallel_workers: 0,
      });
      write("model-settings.json", {
        name: "income",
        implementation: "mlserver_model.OnnxModel",
      });
      return inPython(place, "mlserver", ["mlserver", "start", "."]);
    },
  },
  mlflow: {
    title: "MLflow",
    form: "tensors",
    path: "/invocations",
    python: "mlflow",
    isRight: (answer, { expected }) => {
      const { predictions } = answer as { predictions?: { probability?: number[][] } };
      return areRight((predictions?.probability ?? []).flat(), expected);
    },
    start: async (place) => {
      const flags = ["--host", "127.0.0.1", "--port", `${place.port}`, "--workers", "1"];
      const serve = ["mlflow", "models", "serve", "-m", "model", "--env-manager", "local"];
      const start = inPython(place, "mlflow", [...serve, ...flags]);
      const python = programOf(place.pythonRoot, "mlflow", "python");
      const target = join(place.folder, "model");
      await runToEnd(
        [python, join(place.folder, "mlflow_save.py"), place.model, target],
        start.env,
      );
      return start;
    },
  },
};

async function startSluice({ port, folder, sluice }: Place): Promise<Start> {
  return {
    command: [BINARY, "serve"],
    env: { ...sluice, SLUICE_PORT: `${port}` },
    cwd: folder,
    log: join(folder, "log"),
  };
}

function echo(title: string, file: string): Peer {
  return {
    title,
    form: "instances",
    path: PREDICT,
    echoes: true,
    start: async ({ port, folder }) => ({
      command: [process.execPath, join(import.meta.dir, file), `${port}`],
      env: {},
      cwd: folder,
      log: join(folder, "log"),
    }),
    isRight: (answer, { rows }) => Bun.deepEquals(answer, { instances: rows }),
  };
}

/** A command of a virtual environment, in a folder with the sources of all peers. */
function inPython(
  { folder, model, pythonRoot }: Place,
  name: Environment,
  [program = "", ...args]: readonly string[],
): Start {
  // A copy: nothing that Python compiles stays in the repository.
  cpSync(SOURCES, folder, { recursive: true });
  mkdirSync(join(folder, "home"), { recursive: true });
  return {
    command: [programOf(pythonRoot, name, program), ...args],
    cwd: folder,
    log: join(folder, "log"),
    env: {
      // Some start others by name.
      PATH: `${join(pythonRoot, name, "bin")}:${process.env["PATH"] ?? ""}`,
      PYTHONPATH: folder,
      BENCH_MODEL: model,
      OMP_NUM_THREADS: "1",
      BENTOML_HOME: join(folder, "home"),
      BENTOML_DO_NOT_TRACK: "True",
      MLFLOW_DISABLE_TELEMETRY: "true",
    },
  };
}

function isPredictions(answer: unknown, { expected }: Question): boolean {
  const { predictions = [] } = answer as { predictions?: { probability: number }[] };
  return areRight(
    predictions.map(({ probability }) => probability),
    expected,
  );
}

function isOutputs(answer: unknown, { expected }: Question): boolean {
  const { outputs = [] } = answer as { outputs?: { name: string; data: number[] }[] };
  return areRight(outputs.find(({ name }) => name === "probability")?.data ?? [], expected);
}
