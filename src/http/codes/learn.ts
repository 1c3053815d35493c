/*
 * Codes of trainings and of what they log.
 */
import type { CodeRows } from "./row.ts";

export const learnCodes: CodeRows = {
  bad_alias: [
    "Alias not accepted",
    "The name of an alias is one that reads as a version or has odd characters.",
    "Use letters, digits, _ and -; not latest, not v with a number.",
  ],
  bad_key: [
    "Key not accepted",
    "A param, metric or tag has a key with odd characters.",
    "Use letters, digits, space and _ . - / :",
  ],
  bad_metric: [
    "Metric not accepted",
    "A point of a metric has a step or time that is no whole number within 2^53.",
    "Correct the point.",
  ],
  bad_option: ["Option not accepted", "An option of a training is out of range.", "Correct it."],
  bad_sample: [
    "Sample not accepted",
    "Rows, labels and weights of a training do not fit together.",
    "Report it with the step's log, or correct the rows given.",
  ],
  bad_value: [
    "Value not accepted",
    "A value holds a NUL character, which the database cannot hold in text.",
    "Leave the character out.",
  ],
  column_mismatch: [
    "Other columns",
    "The columns are not those that the model was trained on.",
    "Give the columns of its signature.",
  ],
  incomplete_signature: [
    "Signature incomplete",
    "A version without complete inputs and outputs could not be checked when it serves.",
    "Give name, dtype and shape of each input and output.",
  ],
  leaking_feature: [
    "Feature sees the future",
    "A feature moved when only what comes after its slot was changed.",
    "Report it: a version that learned from it must not serve.",
  ],
  model_mismatch: [
    "Parts do not fit",
    "The parts of a version were fitted on different columns.",
    "Report it with the step's log.",
  ],
  model_not_finite: [
    "Model not finite",
    "A trained model holds a number that float32 cannot hold.",
    "Look at the training's options and rows.",
  ],
  onnx_name: [
    "Name given twice",
    "Two values of an ONNX graph have one name.",
    "Report it with the step's log.",
  ],
  training_error: [
    "Training failed",
    "The training ended with an error that nobody foresaw.",
    "Report it with the step's log.",
  ],
};
