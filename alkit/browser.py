"""A small browser for the picks: choose a strategy, a class and a rank in JupyterLab, and see the image."""

import io

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from ipywidgets import Dropdown, HBox, IntSlider, VBox, interactive_output
from matplotlib.figure import Figure

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

    def figure(strategy: str, kind: str, rank: int) -> Figure | None:
        found = chosen(strategy, kind)
        if not len(found):
            print(f"{strategy} picked none of class {kind}.")
            return None
        place = found[rank - 1]
        score = f", score {scores[strategy][place]:.3f}" if strategy in scores else ""
        of_kind = kind if kind == ANY else f"class {kind}"
        title = f"{strategy.replace('_', ' ')}: pick {rank:,} of {len(found):,} ({of_kind}){score}"
        return plots.pick(pool.images[place], probabilities[place], dataset.class_names, pool.labels[place], title)

    def show(**values: str | int) -> None:
        if (shown := figure(**values)) is not None:
            plots.show(shown)

    controls = {
        "strategy": Dropdown(options=list(picks), value=strategy, description="strategy"),
        "kind": Dropdown(options=[ANY, *dataset.class_names], description="class"),
        "rank": IntSlider(1, 1, study.n_query, description="rank", continuous_update=False),
    }

    def limit(_: object) -> None:
        controls["rank"].max = max(1, len(chosen(controls["strategy"].value, controls["kind"].value)))

    # Before the figure looks at them: a rank that another class has may be none of this one.
    controls["strategy"].observe(limit, "value")
    controls["kind"].observe(limit, "value")
    box = VBox([HBox(list(controls.values())), interactive_output(show, controls)])
    first, png = figure(strategy, ANY, 1), io.BytesIO()
    first.savefig(png, format="png")
    plt.close(first)
    bundle = box._repr_mimebundle_() | {"image/png": png.getvalue()}
    display(bundle, raw=True, metadata={"image/png": {"alt": first.get_label()}})
