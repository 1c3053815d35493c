/*
 * Debian's packages, for a new machine where we are root: a CI container, most often.
 */
import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";

const policy = "/usr/sbin/policy-rc.d";

/** True where `apt-get install` can work without asking anybody. */
export const canInstall = (): boolean =>
  process.getuid?.() === 0 && Bun.which("apt-get") !== null && existsSync("/etc/debian_version");

/**
 * Installs Debian packages without starting their system services. Throws with apt's last words.
 */
export async function install(packages: readonly string[]): Promise<void> {
  console.log(`installing ${packages.join(", ")} with apt-get`);
  // Debian starts a service as it installs it, unless this file says no (exit 101). Where there
  // is one already, it is the machine owner's and stays.
  const ours = !existsSync(policy);
  if (ours) await writeFile(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    await apt(["update"]);
    await apt(["install", "-y", "--no-install-recommends", ...packages]);
  } finally {
    if (ours) await rm(policy, { force: true });
  }
}

async function apt(args: readonly string[]): Promise<void> {
  const child = Bun.spawn(["apt-get", "-q", "-o", "DPkg::Lock::Timeout=120", ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [said, complained, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code === 0) return;
  const tail = `${said}\n${complained}`.trim().split("\n").slice(-3).join(" | ");
  throw new Error(`apt-get ${args.join(" ")} ended with ${code}: ${tail}`);
}
