"""A row and an answer as FastAPI and BentoML check them."""

from pydantic import BaseModel, Field

THRESHOLD = 0.5


class Person(BaseModel):
    age: float | None = None
    workclass: str | None = None
    education: str | None = None
    education_num: float | None = Field(None, alias="education-num")
    marital_status: str | None = Field(None, alias="marital-status")
    occupation: str | None = None
    relationship: str | None = None
    race: str | None = None
    sex: str | None = None
    capital_gain: float | None = Field(None, alias="capital-gain")
    capital_loss: float | None = Field(None, alias="capital-loss")
    hours_per_week: float | None = Field(None, alias="hours-per-week")
    native_country: str | None = Field(None, alias="native-country")


class Prediction(BaseModel):
    label: str
    probability: float


def predictions_of(probabilities):
    return [
        Prediction(label=">50K" if p >= THRESHOLD else "<=50K", probability=p)
        for p in probabilities.ravel().tolist()
    ]
