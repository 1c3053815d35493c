"""Answers of `model.onnx` in a folder about the raw columns in its `columns.json` (null is a
missing number, "" a missing text), as float32 in its `answer.f32`. A second argument names the
output, which is `probability` without one."""

import json
import sys

import numpy
import onnxruntime

folder = sys.argv[1]
output = sys.argv[2] if len(sys.argv) > 2 else "probability"
with open(folder + "/columns.json") as file:
    columns = json.load(file)
session = onnxruntime.InferenceSession(
    folder + "/model.onnx", providers=["CPUExecutionProvider"]
)
types = {one.name: object if "string" in one.type else numpy.float32 for one in session.get_inputs()}
feeds = {
    name: numpy.array([[value] for value in values], dtype=types[name])
    for name, values in columns.items()
}
(answer,) = session.run([output], feeds)
rows = len(next(iter(columns.values())))
assert answer.dtype == numpy.float32 and answer.ndim == 2 and len(answer) == rows
answer.tofile(folder + "/answer.f32")
