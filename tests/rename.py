"""Give the published runs the names of today's code: `make rename`, after an edit that changes no number."""

from alkit import ROOT, records
from alkit.profiles import load_study
from alkit.strategies import BEYOND


def rename(folder=ROOT / "figures" / "records"):
    study = load_study("replay")
    for path in sorted(folder.glob("*.json")):
        done = records.read(path.stem, folder)
        name = done["config"]["experiment"]
        today = study.config(BEYOND.get(name, name), done["config"]["seed"])
        done["config"] |= {name: today[name] for name in ("code", "strategy") if name in done["config"]}
        if (name := records.key(done["config"])) != path.stem:
            records.write(name, done, folder)
            path.unlink()
            path.with_suffix(".npz").unlink()


if __name__ == "__main__":
    rename()
