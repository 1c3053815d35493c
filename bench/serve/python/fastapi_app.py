"""FastAPI over ONNX Runtime: checked by pydantic in and out, one worker of uvicorn."""

from columns import feeds_of, open_session
from fastapi import FastAPI
from person import Person, Prediction, predictions_of
from pydantic import BaseModel

session = open_session()
app = FastAPI()


class Request(BaseModel):
    instances: list[Person]


class Answer(BaseModel):
    predictions: list[Prediction]


# The model takes some microseconds: on the loop it is faster than in a pool of threads.
@app.post("/predict")
async def predict(request: Request) -> Answer:
    (probabilities,) = session.run(["probability"], feeds_of(request.instances))
    return Answer(predictions=predictions_of(probabilities))
