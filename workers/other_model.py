"""What a job meets whose collection has another model than the one it came to: since it was queued, it was moved."""

from shared.errors import ModelMismatch


class OtherModel(ModelMismatch):
    """The job goes on where `model_name` is held: here, or in that model's lane."""

    def __init__(self, detail: str, *, model_name: str) -> None:
        super().__init__(detail, field="collection")
        self.model_name = model_name
