"""A small browser for the picks: choose a strategy, a class and a rank in JupyterLab, and see the image."""

import io

import matplotlib.pyplot as plt
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

    def figure(strategy: str, kind: str, rank: int) -> Figure | None:
        found = picks[strategy]
        if kind != ANY:
            found = found[pool.labels[found] == dataset.class_names.index(kind)]
        if not len(found):
            print(f"{strategy} picked no {kind}.")
            return None
        place = found[min(rank, len(found)) - 1]
        score = f", score {scores[strategy][place]:.3f}" if strategy in scores else ""
        title = f"{strategy.replace('_', ' ')}: pick {min(rank, len(found)):,} of {len(found):,} ({kind}){score}"
        return plots.pick(pool.images[place], probabilities[place], dataset.class_names, pool.labels[place], title)

    def show(**chosen: str | int) -> None:
        if (shown := figure(**chosen)) is not None:
            plots.show(shown)

    controls = {
        "strategy": Dropdown(options=list(picks), value=strategy, description="strategy"),
        "kind": Dropdown(options=[ANY, *dataset.class_names], description="class"),
        "rank": IntSlider(1, 1, study.n_query, description="rank"),
    }
    box = VBox([HBox(list(controls.values())), interactive_output(show, controls)])
    first, png = figure(strategy, ANY, 1), io.BytesIO()
    first.savefig(png, format="png")
    plt.close(first)
    bundle = box._repr_mimebundle_() | {"image/png": png.getvalue()}
    display(bundle, raw=True, metadata={"image/png": {"alt": first.get_label()}})
