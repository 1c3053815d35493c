"""Requests made by schemathesis from a server's own OpenAPI document, well-formed and not.

Usage: fuzz.py ORDER.json, where the order holds:
  url, requests, seed, token   whom to ask, how often, and with what (token null: without)
  names                        parameter of a path -> names that exist; most requests use one
  columns                      model -> its columns, for rows that are nearly right
Prints one JSON object: requests, statuses (by operation), failures (each kind once).
"""

import collections
import json
import random
import sys
import warnings

import hypothesis
import requests
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis.errors import HypothesisException, Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

warnings.simplefilter("ignore")
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
# Trainings are begun by these; a few are as good as thousands.
HEAVY = ("/retrain", "/backfill", "/runs", "/verify")
# Calls of MLflow's protocol: what is no JSON, or of an unknown name, counts there as not given.
MLFLOW = "/api/"
ODD = [None, 0, -0.0, 1, 39.5, -1, 2**31, 2**53, 2**53 + 1, 1e308, True, False]
ODD += [[], [1], {}, {"a": 1}]
ODD += ["", " ", "?", "5", "0x10", "1e3", "NaN", "Infinity", "a\u0000b", "\ud7ff", "x" * 300]
ROUND = 40

order = json.load(open(sys.argv[1], encoding="utf-8"))
dice = random.Random(order["seed"])
statuses = collections.defaultdict(collections.Counter)
failures = {}
count = 0
session = requests.Session()


def rows(columns):
    """Rows of a model's columns: most cells right, some odd, some left out."""
    made = []
    for _ in range(dice.choice([0, 1, 1, 1, 2, 3, 40])):
        row = {}
        for column in columns:
            if dice.random() < 0.03:
                continue
            right = dice.choice([0, 1.5, 39, None, "pilot"])
            row[column] = dice.choice(ODD) if dice.random() < 0.1 else right
        if dice.random() < 0.05:
            row[dice.choice(["zzz", "", "__proto__", "constructor"])] = dice.choice(ODD)
        made.append(row if dice.random() < 0.97 else dice.choice(ODD))
    return made


def nearly_right(case):
    """Puts names that exist into the address, and rows of columns that exist into the body."""
    for name in list(case.path_parameters or {}):
        known = order["names"].get(name)
        if known and dice.random() < 0.95:
            case.path_parameters[name] = dice.choice(known)
    if case.path.startswith(MLFLOW):
        for part in (case.query, case.body):
            for name in list(part) if isinstance(part, dict) else []:
                known = order["names"].get(name)
                if known and isinstance(part[name], str) and dice.random() < 0.8:
                    part[name] = dice.choice(known)
    heavy = case.method == "POST" and case.path.endswith(HEAVY)
    if heavy and dice.random() < 0.98:
        for name in list(case.path_parameters or {}):
            case.path_parameters[name] = "none"
    asked = str((case.path_parameters or {}).get("ref", ""))
    columns = order["columns"].get(asked.split("@")[0])
    if case.path.endswith("/predict") and columns and dice.random() < 0.6:
        body = {"instances": rows(columns)}
        if case.media_type == "application/json":
            case.body = body
        elif case.media_type == "text/csv":
            given = [row if isinstance(row, dict) else {} for row in body["instances"]]
            lines = [",".join(columns)]
            lines += [",".join(str(row.get(name, "")) for name in columns) for row in given]
            case.body = dice.choice(["\n", "\r\n"]).join(lines) + dice.choice(["", "\n"])


GARBAGE = [
    *[b"", b"{", b"null", b"[]", b'{"instances":', b"\xff\xfe\x00", b"a,b\n1", b'{"inputs":[]}'],
    *[b'{"instances":[{"age":NaN}]}', b'{"instances":[{"age":1e999}]}', b'{"instances":[{}]}\n'],
    *[b"[" * 50_000 + b"]" * 50_000, b'"' * 1_000, b"{" * 5_000, b'{"a":1}' * 100],
    *[bytes(range(256)), b" " * 100_000, b'{"instances":' * 5_000, b'a"b\n' * 5_000],
]
TYPES = ["application/json"] * 8 + ["text/csv"] * 4 + ["application/x-ndjson"] * 3
TYPES += ["application/octet-stream", "text/plain", "multipart/form-data; boundary=x"]
TYPES += ["application/json; charset=utf-16", "", "/", "\u00e9"]
HEADERS = [{}] * 6 + [
    *[{"Content-Encoding": "gzip"}, {"Accept": "text/csv"}, {"X-Request-Id": "\u00ff" * 70}],
    *[{"Inference-Header-Content-Length": "5"}, {"Inference-Header-Content-Length": "-1"}],
    *[{"Expect": "100-continue"}, {"traceparent": "00-zz-zz-01"}],
]


def spoilt(case, headers):
    """The same request with a body, a type or a header that no schema would tell of."""
    sent = case.as_transport_kwargs(base_url=order["url"], headers=headers)
    for name in ("json", "data", "files"):
        sent.pop(name, None)
    own = {**sent["headers"], **dice.choice(HEADERS), "Content-Type": dice.choice(TYPES)}
    sent["headers"] = {name: value.encode("latin-1", "ignore") for name, value in own.items()}
    return session.request(**sent, data=dice.choice(GARBAGE), timeout=40)


def note(case, response, problem):
    kind = f"{case.method} {case.path} {response.status_code} {type(problem).__name__}"
    if kind in failures:
        failures[kind]["times"] += 1
        return
    sent = response.request
    body = sent.body
    failures[kind] = {
        "times": 1,
        "kind": kind,
        "said": str(problem)[:600],
        "url": sent.url,
        "headers": {k: str(v) for k, v in sent.headers.items() if k != "Authorization"},
        "body": None if body is None else (body if isinstance(body, str) else repr(body))[:600],
        "answer": response.text[:600],
    }


def ask(case):
    """Asks as it was made, and once more nearly right: making one takes longer than asking."""
    lenient = case.path.startswith(MLFLOW)
    send(case, CHECKS if lenient else [*CHECKS, negative_data_rejection])
    nearly_right(case)
    # What was wrong of it may be right now.
    send(case, CHECKS)


def send(case, checks):
    global count
    count += 1
    headers = {} if order["token"] is None else {"Authorization": f"Bearer {order['token']}"}
    if case.method == "POST" and dice.random() < 0.15:
        response = spoilt(case, headers)
        statuses["spoilt"][response.status_code] += 1
    else:
        response = case.call(headers=headers, session=session, timeout=40)
        statuses[f"{case.method} {case.path}"][response.status_code] += 1
    try:
        case.validate_response(response, checks=checks)
    except FailureGroup as group:
        for problem in group.exceptions:
            # What this store of files cannot do is told so, as that protocol has it.
            if response.status_code == 501 and case.path.startswith(MLFLOW):
                continue
            note(case, response, problem)


strategies = {}


def round_of(operation, mode, seed):
    key = (operation.label, mode)
    strategy = strategies.get(key)
    if strategy is None:
        strategy = strategies[key] = operation.as_strategy(generation_mode=mode)

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=min(ROUND, (order["requests"] - count + 1) // 2),
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(strategy)
    def run(case):
        ask(case)

    run()


schema = schemathesis.openapi.from_url(f"{order['url']}/openapi.json")
operations = [result.ok() for result in schema.get_all_operations()]
unfit = set()
turn = 0
while count < order["requests"]:
    dice.shuffle(operations)
    for operation in operations:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            key = (operation.label, mode)
            if count >= order["requests"] or key in unfit:
                continue
            before = count
            try:
                round_of(operation, mode, order["seed"] * 1_000_003 + turn)
            except Unsatisfiable:
                unfit.add(key)  # nothing of it can be wrong
            except HypothesisException as thrown:
                kind = f"{operation.label} {mode.value}"
                failures[kind] = {"kind": kind, "said": repr(thrown)[:600], "times": 1}
                unfit.add(key)
            # One that has a single form need not be asked in every round.
            if count - before <= 4 and turn > 4:
                unfit.add(key)
    turn += 1

told = {key: {str(status): n for status, n in sorted(of.items())} for key, of in statuses.items()}
print(json.dumps({"requests": count, "statuses": told, "failures": list(failures.values())}))
