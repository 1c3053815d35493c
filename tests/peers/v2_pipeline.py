"""A pipeline of scikit-learn as ONNX, and what scikit-learn itself says of some rows.

usage: v2_pipeline.py FOLDER  ->  FOLDER/model.onnx; JSON of columns and answers

Numbers and texts in, a label and probabilities out; "maps" is the same model as skl2onnx writes it
when it is told nothing, its probabilities a sequence of maps, which is no tensor.
"""
import json
import sys

import numpy as np
import pandas as pd
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

folder = sys.argv[1]
random = np.random.default_rng(5)
rows = 300
frame = pd.DataFrame(
    {
        "age": random.uniform(18, 80, rows).astype(np.float32),
        "hours": random.uniform(5, 60, rows).astype(np.float32),
        "town": random.choice(["Seoul", "Busan", "Jeju"], rows),
    }
)
label = np.where(frame["age"] + 10 * (frame["town"] == "Jeju") > 50, "old", "young")
model = make_pipeline(
    ColumnTransformer(
        [
            ("numbers", StandardScaler(), ["age", "hours"]),
            ("texts", OneHotEncoder(handle_unknown="ignore"), ["town"]),
        ]
    ),
    LogisticRegression(),
).fit(frame, label)
types = [
    ("age", FloatTensorType([None, 1])),
    ("hours", FloatTensorType([None, 1])),
    ("town", StringTensorType([None, 1])),
]
for name, options in (("model", {"zipmap": False}), ("maps", {})):
    made = to_onnx(model, initial_types=types, options={id(model): options} if options else None)
    with open(f"{folder}/{name}.onnx", "wb") as file:
        file.write(made.SerializeToString())
asked = frame.head(40)
print(
    json.dumps(
        {
            "columns": {name: asked[name].tolist() for name in asked},
            "labels": model.predict(asked).tolist(),
            "probabilities": model.predict_proba(asked).ravel().tolist(),
        }
    )
)
