/*
 * For tests: a folder as the file store of MLflow lays it out, written on another machine.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Where the folder was when its addresses were written. */
export const THERE = "/home/ada/a%20project/mlruns";
export const RUN = "a".repeat(32);
export const GONE = "b".repeat(32);
export const AWAY = "c".repeat(32);
export const MODEL = `m-${"1".repeat(32)}`;
export const GONE_MODEL = `m-${"2".repeat(32)}`;
const DATASET = "d".repeat(32);

const experiment = (id: string, name: string, stage = "active") => `\
artifact_location: file://${THERE}/${id}
creation_time: 1700000000${id.padStart(3, "0")}
experiment_id: '${id}'
last_update_time: 1700000001000
lifecycle_stage: ${stage}
name: ${name}
`;

const run = (id: string, of: string, more = "") => `\
artifact_uri: file://${THERE}/${of}/${id}/artifacts
end_time: 1700000003000
entry_point_name: ''
experiment_id: '${of}'
lifecycle_stage: active
run_id: ${id}
run_name: 0x_1e5
run_uuid: ${id}
source_name: ''
source_type: 4
source_version: ''
start_time: 1700000002000
status: 3
tags: []
user_id: 1e3
${more}`;

const model = (id: string, more = "") => `\
artifact_location: file://${THERE}/7/models/${id}/artifacts
creation_timestamp: 1700000004000
experiment_id: '7'
last_updated_timestamp: 1700000005000
lifecycle_stage: active
model_id: ${id}
model_type: onnx
name: adds
source_run_id: ${RUN}
status: 2
status_message: null
${more}`;

const version = (number: number, source: string, stage = "None") => `\
creation_timestamp: 170000000600${number}
current_stage: ${stage}
description: null
last_updated_timestamp: 1700000006000
model_id: null
name: adds
run_id: ${RUN}
run_link: null
source: ${source}
status: READY
status_message: null
storage_location: null
user_id: null
version: ${number}
`;

/** Every kind of record that there is; those that are added take the place of these. */
export const STORE: Readonly<Record<string, string | Uint8Array>> = {
  "0/meta.yaml": experiment("0", "Default"),
  "7/meta.yaml": experiment("7", "'it''s: \"seven\"'"),
  "7/tags/mlflow.note.content": "a note\nof two lines",
  [`7/${RUN}/meta.yaml`]: run(RUN, "7"),
  [`7/${RUN}/params/deep/er/rate`]: "0.1",
  [`7/${RUN}/params/empty`]: "",
  [`7/${RUN}/tags/mlflow.runName`]: "0x_1e5",
  [`7/${RUN}/metrics/loss`]: "10 0.5 0\n11 0.25 1\n12 nan 1\n9 1e-05 -2\n",
  [`7/${RUN}/metrics/odd/of old`]: "5 -inf\n6 inf\n",
  [`7/${RUN}/metrics/of a dataset`]: "5 2.5 4 rows 1234e567\nhalf a li\n",
  [`7/${RUN}/metrics/long`]: Array.from({ length: 9_000 }, (_, i) => `${i} ${i / 3} ${i}\n`).join(
    "",
  ),
  [`7/${RUN}/metrics/none`]: "",
  [`7/${RUN}/inputs/i1/meta.yaml`]: `\
destination_id: ${DATASET}
destination_type: RUN
source_id: ${DATASET}
source_type: DATASET
tags:
  mlflow.data.context: training
  seed: 1e5
`,
  [`7/${RUN}/inputs/i2/meta.yaml`]: `\
destination_id: ${MODEL}
destination_type: RUN
source_id: ${MODEL}
source_type: MODEL
tags: {}
`,
  [`7/${RUN}/outputs/${MODEL}/meta.yaml`]: `\
destination_id: ${MODEL}
destination_type: MODEL_OUTPUT
source_id: ${MODEL}
source_type: RUN_OUTPUT
step: 4
tags: {}
`,
  [`7/datasets/${DATASET}/meta.yaml`]: `\
digest: 1234e567
name: rows
profile: '{"num_rows": 2, "num_elements": 4, "and": "some more of it", "so that": "the
  line is folded"}'
schema: null
source: '{}'
source_type: local
`,
  [`7/${RUN}/artifacts/plots/a b.svg`]: "a plot",
  [`7/${RUN}/artifacts/model/MLmodel`]: "flavors: {}",
  [`7/${GONE}/meta.yaml`]: run(GONE, "7", "deleted_time: 1700000009000\n").replace(
    "lifecycle_stage: active",
    "lifecycle_stage: deleted",
  ),
  [`7/models/${MODEL}/meta.yaml`]: model(MODEL),
  [`7/models/${MODEL}/params/depth`]: "3",
  [`7/models/${MODEL}/tags/kind`]: "good",
  [`7/models/${MODEL}/metrics/fit`]: `3 0.25 1 ${RUN} rows 1234e567\n2 0.75 0 ${RUN} rows 1234e567\n`,
  [`7/models/${MODEL}/artifacts/MLmodel`]: "flavors: {}",
  [`7/models/${GONE_MODEL}/meta.yaml`]: model(GONE_MODEL).replace(
    "lifecycle_stage: active",
    "lifecycle_stage: deleted",
  ),
  "7/traces/tr-1/trace_info.yaml": "",
  ".trash/8/meta.yaml": experiment("8", "gone", "deleted"),
  [`.trash/8/${AWAY}/meta.yaml`]: run(AWAY, "8"),
  [`.trash/8/${AWAY}/artifacts/note.txt`]: "of a deleted experiment",
  "models/adds/meta.yaml": `\
aliases: []
creation_timestamp: 1700000005500
description: adds numbers
last_updated_timestamp: 1700000005600
name: adds
`,
  "models/adds/tags/owner": "ada",
  "models/adds/aliases/blue": "1",
  "models/adds/version-1/meta.yaml": version(
    1,
    `file://${THERE}/7/${RUN}/artifacts/model`,
    "Staging",
  ),
  "models/adds/version-1/tags/quality": "good",
  "models/adds/version-2/meta.yaml": version(2, `models:/${MODEL}`),
  "models/adds/version-3/meta.yaml": version(3, `models:/${MODEL}`, "Deleted_Internal"),
};

/** Writes records to a folder. */
export async function writeStore(root: string, files = STORE): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    const file = join(root, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
  }
}
