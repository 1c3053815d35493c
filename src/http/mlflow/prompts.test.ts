/*
 * Prompts as clients keep them in the registry: models that a tag marks, whose versions have no
 * files, and a source that stands for nothing.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { testDatabases } from "../../store/testing.ts";
import { ADMIN } from "../testing.ts";
import { openTracked, type Tracked } from "./testing.ts";

const MARK = { key: "mlflow.prompt.is_prompt", value: "true" };

describe.each(testDatabases())("prompts on $name", (on) => {
  let tracked: Tracked;
  beforeAll(async () => {
    tracked = await openTracked(on);
    await tracked.post("registered-models/create", { name: "greeting", tags: [MARK] });
  });
  afterAll(() => tracked.close());

  const send = (source: string, tags: readonly object[]) =>
    tracked.ask("POST", "/api/2.0/mlflow/model-versions/create", {
      body: { name: "greeting", source, tags },
      token: ADMIN,
    });

  test("a version keeps its text, and says that it is not served", async () => {
    const text = { key: "mlflow.prompt.text", value: "Hello {{name}}".repeat(2_000) };
    const { status, json } = await send("dummy-source", [MARK, text]);
    expect(status).toBe(200);
    expect(json.model_version).toMatchObject({
      ...{ version: "1", status: "READY", source: "dummy-source" },
      status_message: expect.stringContaining("prompt"),
    });
    const { model_version } = await tracked.get("model-versions/get", {
      ...{ name: "greeting", version: "1" },
    });
    expect(model_version.tags).toContainEqual(text);
  });

  test("without the mark, or marked as none, a source must be one", async () => {
    for (const tags of [[], [{ ...MARK, value: "false" }]]) {
      const { status, json } = await send("dummy-source", tags);
      expect([status, json.error_code]).toEqual([400, "INVALID_PARAMETER_VALUE"]);
    }
  });

  test("a source that leads elsewhere is refused of a prompt too", async () => {
    for (const source of ["../../secret", "a/%2e%2e/b", "a\u0000b", "x".repeat(3_000)]) {
      const { status, json } = await send(source, [MARK]);
      expect([status, json.error_code]).toEqual([400, "INVALID_PARAMETER_VALUE"]);
    }
  });
});
