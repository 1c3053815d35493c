"""The income model's columns as its ONNX file takes them, and one session of ONNX Runtime."""

import os

import numpy as np
import onnxruntime as ort


def open_session(path=None):
    """One thread, as a service of many short calls wants it: a pool would pin the host's cores."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    path = path or os.environ["BENCH_MODEL"]
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


# Names of columns are no names of Python: "education-num" is the attribute education_num.
NUMBERS = ["age", "education-num", "capital-gain", "capital-loss", "hours-per-week"]
CATEGORIES = [
    "workclass",
    "education",
    "marital-status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "native-country",
]
ATTRIBUTES = {name: name.replace("-", "_") for name in NUMBERS + CATEGORIES}


def feeds_of(rows):
    """One array a column; NaN and "" where a value is missing."""
    feeds = {}
    for name in NUMBERS:
        attribute = ATTRIBUTES[name]
        values = [getattr(row, attribute) for row in rows]
        # None becomes NaN.
        feeds[name] = np.array(values, dtype=np.float32).reshape(-1, 1)
    for name in CATEGORIES:
        attribute = ATTRIBUTES[name]
        values = [getattr(row, attribute) or "" for row in rows]
        feeds[name] = np.array(values, dtype=object).reshape(-1, 1)
    return feeds
