#!/usr/bin/env bash
# PyTorch: the first optimizer of a process imports torch's compiler, though nothing is compiled.
# Expected: torch.optim.SGD on a network of a few weights costs what its arithmetic costs.
# Happens: it imports torch._dynamo, and with it sympy and, where installed, triton: some 900 modules,
#   seconds of processor time and over 100 MB, in every process that trains. Training and prediction
#   without torch.optim import none of it. TORCHDYNAMO_DISABLE=1 changes nothing.
# Hurts: short trainings in many processes: a loop of active learning, a search or a test suite that
#   starts workers or notebooks pays it in each, a hundred times what a small fit takes.
# Instead: reuse processes; import torch._dynamo once in the one that others are forked from; or, for
#   small networks, write the update of the weights by hand, which takes three lines.
# Seen: torch 2.14.1, 27 November 2026. From: torch/_compile.py, whose wrapper around methods of the
#   optimizer imports torch._dynamo on its first call, and torch/optim/optimizer.py, which does in step.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q torch==2.14.1 numpy==2.4.6 psutil==7.0.0
cat > "$tmp/train.py" <<'PY'
import json
import sys
import time

import psutil
import torch

model = torch.nn.Linear(64, 10)
images, labels = torch.randn(100, 64), torch.arange(100) % 10
before = len(sys.modules), psutil.Process().memory_info().rss, time.process_time()
if sys.argv[1] == "torch.optim.SGD":
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
for _ in range(50):
    torch.nn.functional.cross_entropy(model(images), labels).backward()
    if sys.argv[1] == "torch.optim.SGD":
        optimizer.step()
    else:
        with torch.no_grad():
            for weight in model.parameters():
                weight -= 0.1 * weight.grad
    model.zero_grad()
seconds = time.process_time() - before[2]
more = len(sys.modules) - before[0], (psutil.Process().memory_info().rss - before[1]) / 1e6
print(json.dumps([seconds, *more, "torch._dynamo" in sys.modules]))
PY
for way in "torch.optim.SGD" "by hand"; do
  OMP_NUM_THREADS=1 "$tmp/venv/bin/python" "$tmp/train.py" "$way" > "$tmp/$way"
done
TORCHDYNAMO_DISABLE=1 OMP_NUM_THREADS=1 "$tmp/venv/bin/python" "$tmp/train.py" torch.optim.SGD > "$tmp/disabled"
"$tmp/venv/bin/python" - "$tmp" <<'PY'
import json
import sys
from pathlib import Path

seen = {way: json.loads(Path(sys.argv[1], way).read_text()) for way in ("torch.optim.SGD", "disabled", "by hand")}
for way, (seconds, modules, megabytes, imported) in seen.items():
    print(f"{way:16s}: {seconds:5.2f} s of processor time, {modules:4d} modules, {megabytes:4.0f} MB; dynamo: {imported}")
by_hand, optimizers = seen["by hand"], [seen["torch.optim.SGD"], seen["disabled"]]
as_was = not by_hand[3] and by_hand[1] < 100 and all(each[3] and each[1] > 500 for each in optimizers)
if not as_was or any(each[0] < 5 * by_hand[0] for each in optimizers):
    sys.exit("changed: the first optimizer does not import the compiler, or training by hand does")
PY
