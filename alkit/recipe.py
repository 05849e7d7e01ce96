"""Every hyper-parameter of a training, checked."""

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Recipe:
    """Every hyper-parameter of one training.

    epochs: passes over the images. batch_size: images a step. learning_rate: the peak of that of Muon, an optimiser for
    matrices, here those of the convolutions; the few other weights learn at half of it. label_smoothing: the
    part of each target that is spread evenly over all classes, 0 to below 1. width: channels of the first stage.
    shift: largest random translation in pixels. flip: mirror half of the images. cutout: side of the hidden square in
    pixels, 0 for none. colour: strength of the random brightness, contrast and saturation, 0 for none to 1. swap: share
    of the features, where models learn from such, that is taken from another image of the batch, 0 for none to 1.

    Records are known by what differs from the defaults: change a profile, never a default.
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
    swap: float = 0.0

    def __post_init__(self):
        check_fields(self, "recipe.", above_zero=("epochs", "batch_size", "width", "learning_rate"))
        for name, highest in {"label_smoothing": 0.999, "colour": 1, "swap": 1}.items():
            if getattr(self, name) > highest:
                raise ValueError(f"recipe.{name} is {getattr(self, name)}; give a number from 0 to {highest}.")

    def changes(self) -> dict:
        """What differs from the defaults, by name: what a record is known by, so that a new field changes no record."""
        return {each.name: own for each in fields(self) if (own := each.type(getattr(self, each.name))) != each.default}

    def views(self) -> dict:
        """The views of a test image to average over, as `predict_proba` takes them: changes that training made too."""
        return {"flip": self.flip, "shift": min(self.shift, 1)}


def check_fields(record: object, prefix: str = "", above_zero: tuple[str, ...] = ()) -> None:
    """Raise TypeError or ValueError for a text, truth value or number of a dataclass of another type or below 0.

    A whole number is accepted where a float is needed; those named in `above_zero` have to be more than 0.
    """
    for item in fields(record):
        value, kind = getattr(record, item.name), item.type
        if kind in (str, bool, int, float) and type(value) not in ((int, float) if kind is float else (kind,)):
            raise TypeError(f"{prefix}{item.name} is {value!r}; give a value of type {kind.__name__}.")
        if kind in (int, float) and not (0 <= value < float("inf") and (value or item.name not in above_zero)):
            least = "above" if item.name in above_zero else "of at least"
            raise ValueError(f"{prefix}{item.name} is {value}; give a finite number {least} 0.")


def is_seed(seed: int) -> bool:
    """Whether a seed is one for all that takes it here: torch, numpy and scikit-learn."""
    return type(seed) is int and 0 <= seed < 2**32
