"""What the kit costs beside what a user would write without it: `make bench`, about an hour on two cores; no test.

Each table is measured in one run on one machine, alternating, as medians; compare the ratios, not the times.
Held-out images are training images 45,000 to 49,999; only the runs of `cost`, which are recorded, read the test set.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import seaborn as sns
import torch
import torchvision
from matplotlib import pyplot as plt
from modAL.models import ActiveLearner
from modAL.uncertainty import entropy_sampling, margin_sampling, uncertainty_sampling
from skactiveml.base import SkactivemlClassifier
from skactiveml.pool import Badge, CoreSet, UncertaintySampling
from sklearn.cluster import KMeans
from sklearn.metrics import f1_score
from sklearn.preprocessing import normalize
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode
from torchvision.transforms import v2 as transforms

from alkit import ROOT, training
from alkit.augmentation import augmented_batches
from alkit.profiles import load_study
from alkit.records import versions
from alkit.samplers import SCORES, Pool, sample
from alkit.strategies import BEYOND, most_typical
from alkit.training import PRECISIONS, choose_device, choose_precision, fit, predict_proba

PLAIN_BATCH = 128


def median_seconds(*functions, rounds=3):
    """The median seconds of each function, called in turn."""
    seconds = [[] for _ in functions]
    for _ in range(rounds):
        for function, spent in zip(functions, seconds, strict=True):
            start = time.perf_counter()
            function()
            spent.append(time.perf_counter() - start)
    return [statistics.median(spent) for spent in seconds]


def show(title, rows):
    print(
        f"\n{title}\n{pd.DataFrame(rows).to_string(index=False, float_format=lambda value: f'{value:.4g}')}", flush=True
    )


class Pictures(torch.utils.data.Dataset):
    """Images as PIL pictures with a transform for each: the way of torchvision.datasets.CIFAR10."""

    def __init__(self, part, transform):
        self.part, self.transform = part, transform

    def __len__(self):
        return len(self.part)

    def __getitem__(self, index):
        picture = transforms.functional.to_pil_image(self.part.images[index])
        return self.transform(picture), int(self.part.labels[index])


class PlainLoop:
    """The plain way: ResNet-18 with a 3x3 stem, PIL transforms, a DataLoader, fp32, SGD with a cosine schedule."""

    standard = (
        transforms.PILToTensor(),
        transforms.ToDtype(torch.float32, scale=True),
        transforms.Normalize((0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)),
    )

    def __init__(self, model, device):
        self.model, self.device = model.to(device), device
        self.workers = min(4, os.cpu_count())

    def train(self, part, epochs, after_epoch=lambda: None):
        augmented = transforms.Compose(
            [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(), *self.standard]
        )
        loader = DataLoader(
            Pictures(part, augmented), PLAIN_BATCH, shuffle=True, num_workers=self.workers, drop_last=True
        )
        optimizer = torch.optim.SGD(self.model.parameters(), 0.1, 0.9, weight_decay=5e-4)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
        for _ in range(epochs):
            self.model.train()
            for images, labels in loader:
                optimizer.zero_grad()
                logits = self.model(images.to(self.device))
                torch.nn.functional.cross_entropy(logits, labels.to(self.device)).backward()
                optimizer.step()
            schedule.step()
            after_epoch()

    @torch.no_grad()
    def predict(self, part):
        loader = DataLoader(Pictures(part, transforms.Compose(self.standard)), PLAIN_BATCH, num_workers=self.workers)
        self.model.eval()
        return torch.cat([self.model(images.to(self.device)).softmax(1).cpu() for images, _ in loader]).numpy()


def resnet18():
    model = torchvision.models.resnet18(num_classes=10)
    model.conv1 = torch.nn.Conv2d(3, 64, 3, padding=1, bias=False)
    model.maxpool = torch.nn.Identity()
    return model


def held_out(dataset, n_train):
    """Training images 0 to 999, others below 45,000 at random, and the images 45,000 to 49,999 to score on."""
    order = 1000 + np.random.default_rng(0).permutation(44_000)
    chosen = np.concatenate([np.arange(1000), order])[:n_train]
    return dataset.train[chosen], dataset.train[np.arange(45_000, 50_000)]


def speed(study, dataset):
    """Training and scoring, images a second: what comes from the network, what from the loop; share of the peak."""
    device, recipe = choose_device(study.device), replace(study.recipes["random"], epochs=1)
    precision = choose_precision(device)
    part, pool = dataset.train[np.arange(3072)], dataset.train[np.arange(1000, 7000)]
    few, few_pool = part[np.arange(1024)], pool[np.arange(1024)]

    def kit(name):
        return fit(part, recipe, 0, device, precision=name)

    plain, same = (
        PlainLoop(resnet18(), device),
        PlainLoop(training.new_network(few.images, 10, recipe.width, 0), device),
    )
    model, plain = kit(precision), kit("fp32")
    ways = {
        "plain loop, ResNet-18, fp32": (lambda: plain.train(few, 1), lambda: plain.predict(few_pool), len(few)),
        "plain loop, the kit's network, fp32": (lambda: same.train(few, 1), lambda: same.predict(few_pool), len(few)),
        "the kit, fp32": (lambda: kit("fp32"), lambda: predict_proba(plain, pool.images), 0),
    }
    if precision != "fp32":
        ways[f"the kit, {precision}"] = (lambda: kit(precision), lambda: predict_proba(model, pool.images), 0)
    train_seconds = median_seconds(*(way[0] for way in ways.values()))
    score_seconds = median_seconds(*(way[1] for way in ways.values()))
    rows = []
    for (name, (_, _, n)), to_train, to_score in zip(ways.items(), train_seconds, score_seconds, strict=True):
        rates = (n or len(part)) / to_train, (n or len(pool)) / to_score
        first = rows[0] if rows else {"training": rates[0], "scoring": rates[1]}
        rows.append(
            {"images a second": name, "training": rates[0], "ratio": rates[0] / first["training"], "scoring": rates[1]}
        )
        rows[-1]["scoring ratio"] = rates[1] / first["scoring"]
    show("Training and scoring against the plain loop", rows)

    kind = PRECISIONS.get(precision, torch.float32)
    left, right = torch.randn(2, 2048, 2048, device=device, dtype=kind)
    tensors = torch.tensor(part.images).to(device), torch.tensor(part.labels).to(device)
    n_batches = -(-len(part) // recipe.batch_size)

    def products():
        for _ in range(20):
            product = left @ right
        product[0, 0].item()

    def augmentation():
        for batch, _ in augmented_batches(*tensors, n_batches, recipe, torch.Generator().manual_seed(0)):
            batch[0, 0, 0, 0].item()

    products()
    product_seconds, kit_seconds, augmentation_seconds = median_seconds(products, lambda: kit(precision), augmentation)
    batch, targets = next(augmented_batches(*tensors, n_batches, recipe, torch.Generator().manual_seed(0)))
    model.train()
    with FlopCounterMode(display=False) as counter:
        torch.nn.functional.cross_entropy(model(batch), targets).backward()
    peak = 20 * 2 * 2048**3 / product_seconds
    reached = counter.get_total_flops() / len(batch) * len(part) / kit_seconds
    show(
        f"What training reaches ({precision})",
        [
            {"figure": "matrix products of 2048 x 2048, GFLOP/s", "value": peak / 1e9},
            {"figure": "the network while training, GFLOP/s", "value": reached / 1e9},
            {"figure": "share of the peak, %", "value": 100 * reached / peak},
            {"figure": "augmentation's share of the time, %", "value": 100 * augmentation_seconds / kit_seconds},
        ],
    )


def race(study, dataset):
    """F1 on held-out images against wall time at 6,000 labels, until the plain loop had three times the kit's."""
    part, unseen = held_out(dataset, 6000)
    device, recipe, rows = choose_device(study.device), study.recipes["random"], []

    def row(way, seconds, probabilities):
        f1 = f1_score(unseen.labels, probabilities.argmax(1), average="macro")
        rows.append({"loop": way, "training seconds": seconds, "F1": f1})

    for epochs in (recipe.epochs // 4, recipe.epochs // 2, recipe.epochs):
        start = time.perf_counter()
        model = fit(part, replace(recipe, epochs=epochs), 0, device)
        seconds = time.perf_counter() - start
        row(f"the kit, {epochs} epochs", seconds, predict_proba(model, unseen.images, **recipe.views()))
    plain = PlainLoop(resnet18(), device)
    start = time.perf_counter()
    PlainLoop(resnet18(), device).train(part[np.arange(1024)], 1)
    epoch_seconds = (time.perf_counter() - start) * len(part) / 1024
    spent, start = 0.0, time.perf_counter()

    def after_epoch():
        nonlocal spent, start
        spent += time.perf_counter() - start
        row("plain ResNet-18", spent, plain.predict(unseen))
        start = time.perf_counter()

    torch.manual_seed(0)
    plain.train(part, max(1, round(3 * seconds / epoch_seconds)), after_epoch)
    show("F1 against wall time, 6,000 labels, held-out training images", rows)


def numpy_pick(name, probabilities, k):
    """What one writes with numpy: scores, argpartition, then the picks in order."""
    if name == "least_certainty":
        scores = probabilities.max(1)
    elif name == "least_certainty_margin":
        scores = np.diff(np.partition(probabilities, -2, axis=1)[:, -2:])[:, 0]
    else:
        scores = (probabilities * np.log(probabilities + 1e-12)).sum(1)
    picked = np.argpartition(scores, k)[:k]
    return picked[scores[picked].argsort()]


class Given(SkactivemlClassifier):
    """A classifier that was told its answers: modAL and scikit-activeml ask a model, not a table."""

    def __init__(self, probabilities=None):
        super().__init__(classes=range(probabilities.shape[1]))
        self.probabilities, self.classes_ = probabilities, np.arange(probabilities.shape[1])

    def fit(self, *_, **__):
        return self

    def predict_proba(self, *_, **__):
        return self.probabilities


def pick(probabilities, name, rounds):
    """One row: milliseconds of each way to pick 5,000."""
    ways = {"the kit": lambda: sample(name, Pool(probabilities), 5000, 0)}
    if name in SCORES:
        ways["numpy"] = lambda: numpy_pick(name, probabilities, 5000)
    if name in SCORES:
        strategies = dict(zip(SCORES, (uncertainty_sampling, margin_sampling, entropy_sampling), strict=True))
        learner = ActiveLearner(Given(probabilities), query_strategy=strategies[name])
        ways["modAL"] = lambda: learner.query(probabilities, n_instances=5000)
    seconds = dict(zip(ways, median_seconds(*ways.values(), rounds=rounds), strict=True))
    if name in SCORES:
        methods = dict(zip(SCORES, ("least_confident", "margin_sampling", "entropy"), strict=True))
        query = UncertaintySampling(method=methods[name], random_state=0)
        unknown, model = np.full(len(probabilities), np.nan), Given(probabilities)
        (seconds["scikit-activeml"],) = median_seconds(
            lambda: query.query(probabilities, unknown, clf=model, batch_size=5000, fit_clf=False), rounds=1
        )
    n, n_classes = probabilities.shape
    row = {"pool": f"{n:,} x {n_classes:,}", "sampler": name}
    row |= {f"{way}, ms": 1000 * value for way, value in seconds.items()}
    return row | ({"kit / numpy": seconds["the kit"] / seconds["numpy"]} if name in SCORES else {})


def samplers():
    """The strategies on a pool of the report's size."""
    logits = 2 * np.random.default_rng(0).standard_normal((49_000, 10), np.float32)
    pool = torch.tensor(logits).softmax(1).numpy()
    show("Samplers: 5,000 picks, most informative first", [pick(pool, name, 21) for name in ("random", *SCORES)])


def typical_by_faiss(seen, clusters, n_labelled, n_query):
    """TypiClust's choice as its authors make it: an index of a cluster's images that are left, for each pick."""
    import faiss

    of, picks = clusters.copy(), []
    known, sizes = np.bincount(of[:n_labelled], minlength=of.max() + 1), np.bincount(of)
    of[:n_labelled] = -1
    turns = [each for each in np.lexsort((-sizes, known)) if sizes[each] > 5]
    while len(picks) < n_query:
        members = np.flatnonzero(of == turns[len(picks) % len(turns)])
        index = faiss.IndexFlatL2(seen.shape[1])
        index.add(seen[members])
        squares, _ = index.search(seen[members], min(20, len(members) // 2) + 1)
        picks.append(members[np.sqrt(squares[:, 1:].clip(0)).mean(axis=1).argmin()])
        of[picks[-1]] = -1
    return np.array(picks) - n_labelled


def strategies():
    """Those that look at features: 5,000 picks, and as many by peers as they make in seconds."""
    generator = np.random.default_rng(0)
    seen = generator.standard_normal((50_000, 40)) @ generator.standard_normal((40, 256)) / 6
    seen = np.maximum(seen + generator.standard_normal(seen.shape) / 2, 0).astype(np.float32)
    logits = seen[:49_000] @ generator.standard_normal((256, 10)).astype(np.float32) / 4
    pool = Pool(torch.tensor(logits).softmax(1).numpy(), seen[:49_000], seen[49_000:])
    labels = np.r_[np.full(49_000, np.nan), np.zeros(1000)]
    model = Given(pool.probabilities)
    unit = normalize(seen[np.r_[49_000:50_000, :49_000]])
    as_float64 = unit.astype(float)  # as typiclust has them, for its clustering
    clusters = KMeans(500, max_iter=5, random_state=0).fit_predict(unit)
    core_set, badge = CoreSet(random_state=0), Badge(random_state=0)
    peers = {
        "k_center": ("scikit-activeml CoreSet", 100, lambda n: core_set.query(seen, labels, batch_size=n)),
        "badge": (
            "scikit-activeml Badge", 10,
            lambda n: badge.query(seen[:49_000], labels[:49_000], model, fit_clf=False, batch_size=n),
        ),
        "typiclust, clusters given": ("faiss", 5000, lambda n: typical_by_faiss(unit, clusters, 1000, n)),
    }  # fmt: skip
    ours = {name: lambda name=name: sample(BEYOND[name], pool, 5000, 0) for name in ("k_center", "badge")}
    ours["typiclust, clusters given"] = lambda: most_typical(as_float64, clusters, 1000, 5000)
    rows = []
    for name, (peer, n, query) in peers.items():
        picks, theirs, rounds = ours[name](), np.asarray(query(n)), 3 if peer == "faiss" else 1
        kit, of_peer = median_seconds(ours[name], lambda query=query, n=n: query(n), rounds=rounds)
        of_peer *= 5000 / n
        row = {"strategy": name, "the kit, s": kit, "peer": peer, "picks of it": n, "for 5,000, s": of_peer}
        row |= {"peer / kit": of_peer / kit, "picks in common": f"{np.isin(theirs, picks[:n]).mean():.1%}"}
        rows.append(row | {"peak GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20})
    show("Strategies that look at features: 5,000 of 49,000, 256 features, 10 classes", rows)


OLD = "28e953b"  # the commit before the house was rebuilt: one run after the other, ten kernels from scratch
SIX = """
import sys; from dataclasses import replace; from alkit.profiles import load_study
study = load_study("cifar10", data=sys.argv[1], device=sys.argv[2], seeds=[0, 1])
brief = {name: replace(recipe, epochs=max(1, recipe.epochs // 10)) for name, recipe in study.recipes.items()}
study = replace(study, recipes=brief)
if hasattr(study, "results"):
    study.results()
else:
    from alkit.data import load; from alkit.study import results
    results(study, load(study.data))
"""


def spent(command, folder):
    """Wall seconds and peak GiB (of its largest process) of a command, with fresh records and its own package."""
    with tempfile.TemporaryDirectory() as records:
        places = {"ALKIT_RECORDS": records, "PYTHONPATH": str(folder), "ALKIT_DATA": str(ROOT / "data")}
        start, output = time.perf_counter(), ["--output", records] * ("report" in command)
        process = subprocess.Popen(
            [sys.executable, *command, *output], cwd=folder, env=os.environ | places, stdout=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0, command
        return time.perf_counter() - start, usage.ru_maxrss / 2**20


def before(study, data):
    """The quick report, quiet and beside a busy core, and six experiments of cifar10, of today and of an old commit."""
    six, quick = ["-c", SIX, data, study.device], ["-m", "alkit", "report", "--profile", "quick"]
    with tempfile.TemporaryDirectory() as old:
        packed = subprocess.run(["git", "archive", OLD], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
        subprocess.run(["tar", "-x", "-C", old], input=packed, check=True)
        rows = []
        for what, command in {"quick report": quick, "cifar10, 2 seeds, a tenth of the epochs": six}.items():
            pairs = [[spent(command, folder) for folder in (ROOT, old)] for _ in range(3)]
            seconds, peaks = np.median(np.array(pairs)[..., 0], axis=0), np.max(np.array(pairs)[..., 1], axis=0)
            row = {"what": what, "today, s": seconds[0], "old, s": seconds[1], "ratio": seconds[0] / seconds[1]}
            rows.append(row | {"peak, GiB": peaks[0], "old peak, GiB": peaks[1]})
        busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        seconds = np.median([spent(quick, ROOT)[0] for _ in range(3)])
        busy.kill()
    beside = {"what": "quick report beside a busy core, to quiet", "today, s": seconds, "old, s": rows[0]["today, s"]}
    show(f"Today and {OLD}: medians of three, alternating", [*rows, beside | {"ratio": seconds / rows[0]["today, s"]}])


def recipe_for(study, n):
    """The recipe of the nearest size that the profile has, with a number of epochs between those of its neighbours."""
    sizes = np.log([study.n_labelled, study.n_labelled + study.n_query, 50_000])
    known = [study.recipes[name] for name in ("original_label", "random", "full_training_set")]
    epochs = np.exp(np.interp(np.log(n), sizes, np.log([recipe.epochs for recipe in known])))
    return replace(known[np.abs(sizes - np.log(n)).argmin()], epochs=round(epochs))


def cost(study, dataset, folder):
    """F1 on the test set and time of a fit against the number of labels, as recorded runs; one picture."""
    rows = []
    for n in (1000, 2000, 5000, 10_000, 20_000, 50_000):
        sized = replace(
            study, n_labelled=min(n, 20_000), recipes=study.recipes | {"original_label": recipe_for(study, n)}
        )
        experiment = "original_label" if n < 50_000 else "full_training_set"
        rows.append(sized.results((experiment,)))
    table = pd.concat(rows)
    show("Cost against the number of labels", table[["n_train", "seed", "f1", "seconds"]].to_dict("records"))
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    sns.lineplot(table, x="n_train", y="f1", marker="o", ax=left)
    sns.lineplot(table.assign(minutes=table["seconds"] / 60), x="n_train", y="minutes", marker="o", ax=right)
    left.set(xscale="log", xlabel="labelled images", ylabel="macro F1, test set")
    right.set(xscale="log", ylim=(0, None), xlabel="labelled images", ylabel="minutes to train and score")
    for axes in (left, right):
        axes.set_xticks(table["n_train"], [f"{n // 1000}k" for n in table["n_train"]])
        axes.minorticks_off()
    figure.suptitle(f"{dataset.name}; {table['device'].iloc[0]}, {table['precision'].iloc[0]}", fontsize=9)
    sys.path.append(str(ROOT / "notebooks"))
    import plots

    plots.save(figure, folder / "cost")
    table.to_csv(folder / "cost.csv", index=False)
    print(f"Picture and table: {folder / 'cost'}.svg, .png, .csv")


def main():
    parts = {
        "before": before,
        "speed": speed,
        "samplers": samplers,
        "strategies": strategies,
        "race": race,
        "cost": cost,
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"some of {', '.join(parts)}; all unless given")
    parser.add_argument("--data", default="cifar10", help='"cifar10" or an .npz file of 32x32 colour images like it')
    parser.add_argument("--device", default="auto")
    parser.add_argument(
        "--output", type=Path, default=ROOT / "reports" / "bench", help="folder of cost.svg, .png and .csv"
    )
    given = parser.parse_args()
    if unknown := set(given.parts) - set(parts):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; give some of {', '.join(parts)}.")
    data = str(Path(given.data).resolve()) if Path(given.data).is_file() else given.data
    study = load_study("cifar10", data=data, device=given.device, seeds=[0])
    device = choose_device(study.device)
    print(
        f"{study.dataset.name}; {device}, {choose_precision(device)}, {torch.get_num_threads()} threads; {versions()}"
    )
    arguments = {
        "samplers": (),
        "strategies": (),
        "cost": (study, study.dataset, given.output),
        "before": (study, data),
    }
    for name in given.parts or parts:
        parts[name](*arguments.get(name, (study, study.dataset)))


if __name__ == "__main__":
    main()
