/*
 * Virtual environments of the peers in Python, one each: what they depend on differs.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";

/** What each is made of, in the versions that the figures are of. */
const PACKAGES = {
  fastapi: ["fastapi==0.165.0", "uvicorn[standard]==0.54.0"],
  bentoml: ["bentoml==1.4.40", "uvicorn[standard]==0.54.0"],
  mlserver: ["mlserver==1.7.1"],
  mlflow: ["mlflow==3.17.2", "onnx==1.23.2"],
  // `mlflow server` on Postgres (bench/tracking.ts).
  tracking: ["mlflow==3.17.2", "psycopg2-binary==2.9.13"],
} as const;
const RUNTIME = ["onnxruntime==1.32.0", "numpy==2.4.6"];

export type Environment = keyof typeof PACKAGES;

export const isThere = (root: string, name: Environment): boolean =>
  existsSync(join(root, name, "bin", "python"));

/** A program of an environment. */
export const programOf = (root: string, name: Environment, program: string): string =>
  join(root, name, "bin", program);

/** Makes an environment from PyPI unless it is there. */
export async function installEnvironment(
  root: string,
  name: Environment,
  python: string,
): Promise<void> {
  if (isThere(root, name)) return;
  console.error(`installing ${name} into ${root}`);
  await runToEnd([python, "-m", "venv", join(root, name)]);
  const pip = [programOf(root, name, "pip"), "install", "--quiet", "--disable-pip-version-check"];
  await runToEnd([...pip, ...PACKAGES[name], ...RUNTIME]);
}

/** What is installed of the packages that matter, as `name version`. */
export async function versionsOf(root: string, name: Environment): Promise<string[]> {
  const names = [...PACKAGES[name], ...RUNTIME].map((each) => each.split(/[[=]/)[0] ?? "");
  const code = [
    "import sys",
    "from importlib.metadata import version",
    "print('python', sys.version.split()[0])",
    "for name in sys.argv[1:]: print(name, version(name))",
  ].join("\n");
  const out = await runToEnd([programOf(root, name, "python"), "-c", code, ...names]);
  return out.trim().split("\n");
}

/** Runs a command to its end and returns what it printed; throws when it fails. */
export async function runToEnd(
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const child = Bun.spawn([...command], {
    env: { ...process.env, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [said, complained, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code === 0) return said;
  throw new Error(`${command.join(" ")} ended with ${code}: ${complained || said}`);
}
