"""Features of a data set's images by a network that was trained on them without their labels."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from alkit import records
from alkit.data import Dataset, Images
from alkit.loading import load
from alkit.pretraining import feature_extractor, pretrain, views_of
from alkit.profiles import read_profile, recipes_of, with_weights
from alkit.recipe import Recipe
from alkit.training import network_of, weights_of


def features(
    data: str, output: Path, epochs: int = 50, width: int = 64, profile: str = "cifar10", seed: int = 0,
    device: str = "auto", size: int = 0, compact: bool = False, weights: Path | None = None,
) -> Path:  # fmt: skip
    """Train on the training images, with those of a pool, and write all arrays of a data set with features as .npz.

    The weights are written too, for a profile to go on from: `weights: FILE.npz`. Neither labels nor test images are
    looked at in training. What a stop left goes on; what was trained once is read. epochs, width: those of the network;
    profile: whether images may be flipped; data, size: as for `load`. compact: leave the images out, by whose
    fingerprint they are known, and write features in eight bits, as for git. weights: a file that this command wrote;
    its network goes on, at half the rate. Raises ValueError for what cannot be used and an output that exists.
    """
    if output.suffix != ".npz" or output.exists():
        raise ValueError(f"output is {output}; give a new file FILE.npz.")
    output.parent.mkdir(parents=True, exist_ok=True)  # before anything is trained
    flip = recipes_of(read_profile(profile)["recipes"])["original_label"].flip
    dataset = load(data, unlabelled=None, size=size)
    if compact and not (len(dataset.test) and (dataset.train.labels >= 0).all()):
        raise ValueError(f"compact is True, but {data} has images without labels, or none to test on; leave it out.")
    if dataset.known_as:
        raise ValueError(f"{data} holds labels without images; give the data set itself.")
    images, train = dataset.train.images, dataset.train
    recipe = views_of(Recipe(epochs=epochs, width=width, flip=flip), images.shape[1:])
    recipe = replace(recipe, learning_rate=recipe.learning_rate / 2) if weights else recipe
    seen = Dataset("", (), Images(images, np.zeros(len(images), int)), dataset.test[:0])
    seen = with_weights(seen, weights and str(weights.resolve()), profile, {"": recipe})
    config = {"pretraining": records.digest_of(pretrain), "code": records.digest_of_numbers()}
    config |= {"images": seen.fingerprint, "recipe": recipe.changes(), "seed": seed, "device": device}
    state = records.folder() / f".{records.key(config)}.npz"
    learned = records.once(config, lambda: weights_of(pretrain(images, recipe, seed, device, state, seen.weights)))
    model, n_labelled = network_of(learned, images, 2, width, device), int((train.labels >= 0).sum())
    extract = feature_extractor(model, images[:: -(-len(images) // 10_000)], flip)
    arrays = {"name": dataset.name, "class_names": dataset.class_names}
    arrays |= {"pool_files": dataset.pool_files} if dataset.pool_files else {}
    for name, part in {"train": train[:n_labelled], "pool": train[n_labelled:], "test": dataset.test}.items():
        if len(part):  # there may be no pool, and nothing to test on
            arrays |= {f"x_{name}": part.images, f"y_{name}": part.labels}
            arrays[f"features_{name}"] = extract(part.images).astype(np.float16)
    arrays.pop("y_pool", None)  # -1 for each
    arrays |= {name: array for name, array in learned.items() if name.startswith("weights.")}
    named = f"{dataset.name}, {arrays['features_train'].shape[1]} features learned without labels"
    if compact:
        arrays = {name: each for name, each in arrays.items() if not name.startswith("x_")}
        unit = 127 / np.abs(arrays["features_train"]).max(axis=0).clip(1e-3).astype(np.float32)
        for name in ("features_train", "features_test"):
            arrays[name] = (arrays[name] * unit).round().clip(-127, 127).astype(np.int8)
        arrays |= {name: each.astype(np.float16) for name, each in arrays.items() if "weights." in name and each.ndim}
        arrays |= {"name": named, "shape": images.shape[1:], "known_as": dataset.fingerprint}
    records.replace_file(output, lambda path: (np.savez_compressed if compact else np.savez)(path, **arrays))
    print(f"{named} from {len(images):,} images")
    return output
