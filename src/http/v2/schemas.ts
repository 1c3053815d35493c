/*
 * The protocol's bodies and answers, as the OpenAPI document tells of them.
 */
import * as v from "valibot";
import { answer } from "../forms.ts";
import { DATATYPES } from "./datatypes.ts";

const named = <const S extends v.GenericSchema>(ref: string, schema: S) =>
  v.pipe(schema, v.metadata({ ref }));

const parameters = v.optional(v.record(v.string(), v.union([v.string(), v.number(), v.boolean()])));
const datatype = v.picklist(DATATYPES);
const shape = v.array(v.number());
const element = v.union([v.number(), v.boolean(), v.string(), v.array(v.unknown())]);
const spec = v.strictObject({ name: v.string(), datatype, shape });
const tensor = v.strictObject({
  ...spec.entries,
  parameters,
  data: v.optional(v.array(element)),
});

export const serverAnswer = named(
  "InferenceServer",
  answer({ name: v.string(), version: v.string(), extensions: v.array(v.string()) }),
);
export const liveAnswer = answer({ live: v.boolean() });
export const serverReadyAnswer = answer({ ready: v.boolean() });
export const modelReadyAnswer = answer({ name: v.string(), ready: v.boolean() });
export const metadataAnswer = named(
  "InferenceModel",
  answer({
    name: v.string(),
    versions: v.array(v.string()),
    platform: v.string(),
    inputs: v.array(spec),
    outputs: v.array(spec),
  }),
);

export const inferBody = v.pipe(
  v.object({
    id: v.optional(v.string()),
    parameters,
    inputs: v.array(tensor),
    outputs: v.optional(v.array(v.object({ name: v.string(), parameters }))),
  }),
  v.metadata({
    description: "Tensors as the model's metadata tells them; data flat or nested, row-major.",
    examples: [
      {
        inputs: [{ name: "age", datatype: "FP32", shape: [2, 1], data: [39, 52] }],
        outputs: [{ name: "probability" }],
      },
    ],
  }),
);
export const inferBytes = v.pipe(
  v.string(),
  v.description(
    "The JSON, as long as Inference-Header-Content-Length says, then the bytes of the tensors " +
      "that have a parameter binary_data_size.",
  ),
);
export const inferAnswer = named(
  "Inference",
  answer({
    model_name: v.string(),
    model_version: v.string(),
    id: v.optional(v.string()),
    outputs: v.array(tensor),
  }),
);
export const errorAnswer = named("InferenceError", answer({ error: v.string() }));
