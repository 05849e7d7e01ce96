"""You are the oracle: label images one by one, without knowing which strategy asked for them."""

import io
import time
from base64 import b64encode
from functools import partial

import numpy as np
from IPython.display import display
from ipywidgets import HTML, Button, HBox, Layout, Text, VBox
from PIL import Image


class Oracle:
    """What a person says of images (n, H, W, C) uint8, as far as they got.

    labels (n,): class numbers, -1 where there is none yet; seconds (n,): how long each took.
    """

    def __init__(self, images: np.ndarray, class_names: tuple[str, ...]):
        self.images, self.place, self.since = images, 0, time.monotonic()
        self.labels, self.seconds = np.full(len(images), -1), np.full(len(images), np.nan)
        self.shown, self.n_classes = HTML(), len(class_names)  # Output widgets may block nbclient
        self.buttons = [
            Button(
                description=name if name == str(number) else f"{number}: {name}",
                layout=Layout(width="auto", min_width="3em"),
            )
            for number, name in enumerate(class_names)
        ]
        for number, button in enumerate(self.buttons):
            button.on_click(partial(self._say, number))
        # One figure is enough for up to ten classes; more need the Enter key.
        hint = "or type a number" + " and Enter" * (self.n_classes > 10)
        self.typed = Text(placeholder=hint, continuous_update=self.n_classes <= 10)
        self.typed.observe(self._type, "value")
        self.back = Button(description="back", icon="undo")
        self.back.on_click(self._go_back)

    def ask(self) -> None:
        """Show the first image that has no label, with a button for each class."""
        choices = HBox(self.buttons, layout=Layout(flex_flow="row wrap"))
        png, text = self._show()
        box = VBox([self.shown, choices, HBox([self.typed, self.back])])._repr_mimebundle_()
        alt = f"{text} In JupyterLab there are buttons below."
        display(box | {"image/png": png}, raw=True, metadata={"image/png": {"alt": alt}})

    def _say(self, number: int, _: object = None) -> None:
        if self.place < len(self.images):
            self.labels[self.place] = number
            self.seconds[self.place] = time.monotonic() - self.since
            self.place += 1
            self._show()

    def _type(self, change: dict) -> None:
        text, self.typed.value = change["new"].strip(), ""  # which comes back here, empty
        if text.isdecimal() and int(text) < self.n_classes:
            self._say(int(text))

    def _go_back(self, _: object) -> None:
        self.place = max(0, self.place - 1)
        self.labels[self.place], self.seconds[self.place] = -1, np.nan
        self._show()

    def _show(self) -> tuple[str, str]:
        text = f"Image {self.place + 1} of {len(self.images)}: which class?"
        if done := self.place == len(self.images):
            text = f"All {len(self.images)} are labelled. Go on with the next cell."
        elif not np.ptp(self.images):
            text = "There are no pictures here; the simulated oracle labels them."
        image = Image.fromarray(self.images[self.place - done].squeeze())
        image.resize((192, 192 * image.height // image.width), Image.Resampling.BICUBIC).save(
            png := io.BytesIO(), format="png"
        )
        picture = b64encode(png.getvalue()).decode()
        source = f'<img src="data:image/png;base64,{picture}" alt="The image to label">'
        self.shown.value = f'<p role="status">{text}</p>{"" if done else source}'
        self.since = time.monotonic()
        return picture, text
