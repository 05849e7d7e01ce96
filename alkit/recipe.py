"""Every hyper-parameter of a training, checked."""

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Recipe:
    """Every hyper-parameter of one training.

    epochs: passes over the images. batch_size: images a step. learning_rate: the peak of that of Muon, an optimiser for
    matrices, here those of the convolutions; the few other parameters learn at half of it by SGD. label_smoothing: the
    part of each target that is spread evenly over all classes, 0 to below 1. width: channels of the first stage.
    shift: largest random translation in pixels. flip: mirror half of the images. cutout: side of the hidden square in
    pixels, 0 for none. colour: strength of the random brightness, contrast and saturation, 0 for none to 1.

    Raises TypeError or ValueError for a value of the wrong type or out of range.
    """

    epochs: int = 30
    batch_size: int = 125
    learning_rate: float = 0.1
    label_smoothing: float = 0.1
    width: int = 64
    shift: int = 4
    flip: bool = True
    cutout: int = 0
    colour: float = 0.0

    def __post_init__(self):
        for item in fields(self):
            value = getattr(self, item.name)
            accepted = (int, float) if item.type is float else (item.type,)
            if type(value) not in accepted:
                kind = item.type.__name__
                raise TypeError(
                    f"recipe.{item.name} is {value!r}; give a value of type {kind}, such as {item.default}."
                )
            lowest = 1 if item.name in ("epochs", "batch_size", "width") else 0
            if not lowest <= value < float("inf"):
                raise ValueError(f"recipe.{item.name} is {value}; give a finite number of at least {lowest}.")
        if not self.learning_rate:
            raise ValueError(f"recipe.learning_rate is {self.learning_rate}; give a number above 0, such as 0.1.")
        if self.label_smoothing >= 1:
            raise ValueError(f"recipe.label_smoothing is {self.label_smoothing}; give a number from 0 to below 1.")
        if self.colour > 1:
            raise ValueError(f"recipe.colour is {self.colour}; give a number from 0 to 1.")

    def views(self) -> dict:
        """The views of a test image to average over, as `predict_proba` takes them: changes that training made too."""
        return {"flip": self.flip, "shift": min(self.shift, 1)}
