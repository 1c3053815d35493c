import { version } from "../../package.json";
import type { Io, JsonOption } from "./io.ts";

/** Prints the version of this program; `--json` tells what it runs on too. */
export async function printVersion(io: Io, { json }: JsonOption): Promise<number> {
  const { platform, arch } = process;
  const facts = { version, bun: Bun.version, platform, arch };
  await io.print(json ? JSON.stringify(facts) : `sluice ${version}`);
  return 0;
}
