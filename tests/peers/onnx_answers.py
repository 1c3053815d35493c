"""Answers of `model.onnx` in a folder about the raw columns in its `columns.json` (null is a
missing number, "" a missing text), as float32 in its `answer.f32`."""

import json
import sys

import numpy
import onnxruntime

folder = sys.argv[1]
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
(probability,) = session.run(["probability"], feeds)
rows = len(next(iter(columns.values())))
assert probability.dtype == numpy.float32 and probability.shape == (rows, 1)
probability.tofile(folder + "/answer.f32")
