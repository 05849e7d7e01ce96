"""A small browser for the picks: choose a strategy, a class and a rank, and see the image."""

import io
from base64 import b64encode
from html import escape

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import display
from ipywidgets import HTML, Dropdown, HBox, IntSlider, VBox

from alkit.samplers import SAMPLERS, SCORES, sample
from alkit.study import Study


def browse(study: Study, seed: int) -> None:
    """Show any pick with its probabilities; where no widget can be shown, the first pick."""
    view, classes = study.view(seed), study.dataset.class_names
    picks = {name: sample(name, view, study.n_query, seed) for name in SAMPLERS}
    strategy = Dropdown(options=list(picks), value="least_certainty", description="strategy")
    kind = Dropdown(options=["any class", *classes], description="class")
    rank = IntSlider(1, 1, study.n_query, description="rank", continuous_update=False)
    shown = HTML()  # no Output widget: nbclient may wait for one for ever (its issue 312)

    def update(_: object = None) -> tuple[str, str]:
        name, found = strategy.value, picks[strategy.value]
        found = found[study.pool.labels[found] == kind.index - 1] if kind.index else found
        rank.max = max(1, len(found))  # which may change the rank, and so come back here
        if not len(found):
            shown.value = escape(f"{name} picked none of class {kind.value}.")
            return "", shown.value
        image, rows = study.pool[place := found[rank.value - 1]], view.probabilities
        title = f"{name}: pick {rank.value:,} of {len(found):,}, class {classes[image.labels]}"
        title += f", score {SCORES[name](rows)[place]:.3f}" if name in SCORES else ""
        likely = pd.Series(rows[place], classes).nlargest(6)
        figure, (left, right) = plt.subplots(1, 2, figsize=(7, 2.9), width_ratios=(1, 1.6))
        left.imshow(image.images.squeeze(), vmin=0, vmax=255)
        left.axis("off")
        likely[::-1].plot.barh(ax=right, xlim=(0, 1), xlabel="predicted probability", title=title)
        figure.savefig(png := io.BytesIO(), format="png")
        plt.close(figure)
        numbers = ", ".join(f"{name} {share:.2f}" for name, share in likely.items())
        png, text = b64encode(png.getvalue()).decode(), f"{title}. Predicted: {numbers}."
        shown.value = f'<img src="data:image/png;base64,{png}" alt="{escape(text)}">'
        return png, text

    for control in (strategy, kind, rank):
        control.observe(update, "value")
    png, text = update()
    bundle = VBox([HBox([strategy, kind, rank]), shown])._repr_mimebundle_() | {"image/png": png}
    display(bundle, raw=True, metadata={"image/png": {"alt": text}})
