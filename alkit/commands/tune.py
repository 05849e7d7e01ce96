"""Search the recipes of a study's experiments, and write what was chosen as a profile."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd

from alkit import ROOT, records
from alkit.commands.publish import write_profile
from alkit.profiles import load_study, profile_path, read_profile, weights_path
from alkit.samplers import SAMPLERS
from alkit.search import N_FOLDS, best, search, space, training_images, validate
from alkit.study import EXPERIMENTS, Study


def tune(output: Path, profile: str = "quick", *, experiments=None, storage=None, data=None, **changes) -> Path:
    """Search for each experiment in turn, and write the recipes that were chosen as a profile, `output`.

    What a search at a reduced fidelity found has to beat the given recipe for all epochs too, with another seed and so
    on other folds. There a strategy also tries what was chosen for those before it, so that none is ahead by luck. All
    that was tried is in a table beside the profile, with the suffix .csv. `storage` as for `search`, the rest as for
    `load_study`. Raises ValueError for an unknown experiment and an output that is no .yaml file or the profile itself.
    """
    experiments = experiments or EXPERIMENTS
    if set(experiments) - set(EXPERIMENTS) or output.suffix != ".yaml" or output.is_dir():
        raise ValueError(f"output is {output}; give a file FILE.yaml, and experiments of {', '.join(EXPERIMENTS)}.")
    if output.resolve() == profile_path(profile).resolve():
        raise ValueError(f"output is the profile {profile}, with which a stopped search goes on; give another file.")
    given = read_profile(profile) | {name: value for name, value in {"data": data, **changes}.items() if value}
    sources = {"data": given.get("data")}
    if given.get("weights"):  # the profile that is written may lie elsewhere
        path = weights_path(given["weights"], profile)
        sources["weights"] = (path.relative_to(ROOT) if path.is_relative_to(ROOT) else path).as_posix()
    study, tables = load_study(profile, data=data, **changes), []
    output.parent.mkdir(parents=True, exist_ok=True)  # before anything is searched
    for experiment in experiments:
        given, trials = study.recipe(experiment), search(study, experiment, storage=storage)
        names = list(space(given, study.test.inputs.shape[1:]))
        others = [asdict(study.recipe(name)) for name in SAMPLERS if experiment in SAMPLERS]
        others = [replace(given, **{name: other[name] for name in names}) for other in others]
        candidates = list(dict.fromkeys([given, chosen := best(trials, given), *others]))
        tables.append(trials.drop(columns="test_f1").assign(experiment=experiment, fidelity=study.fidelity))
        print(f"{experiment}: validation F1 {trials['validation_f1'].max():.4f} with the best of {len(trials)} recipes")
        if study.fidelity < 1 and len(candidates) > 1:
            tried = [replace(study, recipes=study.recipes | {experiment: recipe}) for recipe in candidates]
            scores = [_confirm(each, experiment) for each in tried]
            print(f"for all epochs and on other folds {max(scores):.4f}, and {scores[0]:.4f} with the recipe given")
            table = pd.DataFrame(map(asdict, candidates))[names]
            tables.append(table.assign(validation_f1=scores, experiment=experiment, fidelity=1.0))
            chosen = candidates[int(np.argmax(scores))]
        study = replace(study, recipes=study.recipes | {experiment: chosen})
        records.replace_file(output.with_suffix(".csv"), pd.concat(tables).set_index(["experiment", "fidelity"]).to_csv)
        each = f"{study.n_trials} trials each, by validation F1, for {study.fidelity:.0%} of the epochs"
        write_profile(output, study, sources, f"Recipes that alkit tune found on {study.dataset.name}: {each}.")
    return output


def _confirm(study: Study, experiment: str) -> float:
    """Validation F1 with a recipe for all its epochs, with a seed and so on folds that its search did not have."""
    seed, n_folds = 1, N_FOLDS.get(experiment, 2)
    config = {"confirmed": "validation", "n_folds": n_folds} | study.config(experiment, seed)
    given = study.recipe(experiment), n_folds, seed, study.device, study.dataset.weights
    return study.once(config, lambda: {"f1": validate(*training_images(study, experiment, seed), *given)})["f1"]
