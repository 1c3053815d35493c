/*
 * compose.yaml against the program: what can be set is passed on, and nothing else is.
 */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { YAML } from "bun";

const root = join(import.meta.dir, "..");
const read = (file: string): Promise<string> => Bun.file(join(root, file)).text();

/** Set by the image, or of no use in a container. */
const NOT_PASSED = ["SLUICE_DATA", "SLUICE_HOST", "SLUICE_PORT", "SLUICE_LOG"];
const OF_NO_USE = ["SLUICE_CLOCK", "SLUICE_MODELS", "S3_REGION"];

interface Compose {
  readonly services: Readonly<Record<string, { environment?: Record<string, string> }>>;
}

test("every variable of the program can be set for compose.yaml", async () => {
  const { services } = YAML.parse(await read("compose.yaml")) as Compose;
  const passed = services["sluice"]?.environment ?? {};
  const schema = /const schema = v\.object\(\{([\s\S]*?)^\}\);/m.exec(await read("src/config.ts"));
  const known = [...(schema?.[1] ?? "").matchAll(/^ {2}([A-Z][A-Z0-9_]+):/gm)].map(
    ([, name]) => name!,
  );
  expect(known).toContain("SLUICE_RETAIN_VERSIONS");
  const wanted = known.filter((name) => ![...NOT_PASSED, ...OF_NO_USE].includes(name));
  expect(Object.keys(passed).toSorted()).toEqual(wanted.toSorted());
  // What is optional is passed under its own name, and empty where it is not set.
  for (const [name, value] of Object.entries(passed)) {
    if (value.endsWith(":-}")) expect(value).toBe(`\${${name}:-}`);
  }
  const image = await read("Dockerfile");
  for (const name of NOT_PASSED) expect(image).toContain(`${name}=`);
});

test("no secret of compose.yaml has a default", async () => {
  const { services } = YAML.parse(await read("compose.yaml")) as Compose;
  for (const { environment = {} } of Object.values(services)) {
    for (const [name, value] of Object.entries(environment)) {
      if (!/PASSWORD|SECRET_ACCESS|ADMIN_TOKEN/.test(name)) continue;
      expect([name, value]).toEqual([name, expect.stringMatching(/^\$\{[A-Z_]+:\?[^}]+\}$/)]);
    }
  }
});
