"""A small browser for the picks: choose a strategy, a class and a rank in JupyterLab, and see the image."""

import io
from base64 import b64encode
from html import escape

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from ipywidgets import HTML, Dropdown, HBox, IntSlider, VBox

from alkit import plots
from alkit.data import Dataset, split
from alkit.samplers import SAMPLERS, SCORES, Pool, sample
from alkit.study import Study, run

ANY = "any class"


def browse(study: Study, dataset: Dataset, seed: int, strategy: str = "least_certainty") -> None:
    """Show any pick: its image, true class, probabilities and score; where no widget can be shown, the first pick."""
    pool = split(dataset, study.n_labelled).pool
    probabilities = run(study, dataset, "original_label", seed).arrays["pool_probabilities"]
    scores = {name: score(probabilities) for name, score in SCORES.items()}
    picks = {name: sample(name, Pool(probabilities), study.n_query, seed) for name in SAMPLERS}

    def chosen(strategy: str, kind: str) -> np.ndarray:
        found = picks[strategy]
        return found if kind == ANY else found[pool.labels[found] == dataset.class_names.index(kind)]

    def look(strategy: str, kind: str, rank: int) -> tuple[str, str]:
        """The picture of a pick, PNG in base64, and its alt text; of none, no picture and a sentence."""
        found = chosen(strategy, kind)
        if not len(found):
            return "", f"{strategy} picked none of class {kind}."
        place = found[rank - 1]
        score = f", score {scores[strategy][place]:.3f}" if strategy in scores else ""
        of_kind = kind if kind == ANY else f"class {kind}"
        title = f"{strategy.replace('_', ' ')}: pick {rank:,} of {len(found):,} ({of_kind}){score}"
        shown = plots.pick(pool.images[place], probabilities[place], dataset.class_names, pool.labels[place], title)
        shown.savefig(png := io.BytesIO(), format="png")
        plt.close(shown)
        return b64encode(png.getvalue()).decode(), shown.get_label()

    controls = {
        "strategy": Dropdown(options=list(picks), value=strategy, description="strategy"),
        "kind": Dropdown(options=[ANY, *dataset.class_names], description="class"),
        "rank": IntSlider(1, 1, study.n_query, description="rank", continuous_update=False),
    }
    # Not an Output widget: nbclient answers its messages, and may then miss that the cell has ended and wait for ever
    # (https://github.com/jupyter/nbclient/issues/312).
    view = HTML()

    def update(_: object = None) -> tuple[str, str]:
        # A rank that another class has may be none of this one; to lower the limit may change the rank, and come back.
        controls["rank"].max = max(1, len(chosen(controls["strategy"].value, controls["kind"].value)))
        png, text = look(**{name: control.value for name, control in controls.items()})
        view.value = f'<img src="data:image/png;base64,{png}" alt="{escape(text)}">' if png else escape(text)
        return png, text

    for control in controls.values():
        control.observe(update, "value")
    png, text = update()
    bundle = VBox([HBox(list(controls.values())), view])._repr_mimebundle_() | {"image/png": png}
    display(bundle, raw=True, metadata={"image/png": {"alt": text}})
