# Prints the seconds that lerobot needs to write a dataset, to iterate over one and to load its columns, and a sum. The
# columns come first: they pay for the cache that the package fills when it sees a dataset for the first time.
import os
import sys
import time

os.environ["HF_HUB_OFFLINE"] = "1"
sys.stderr = open(os.devnull, "w")
import numpy
import torch
from lerobot.datasets.lerobot_dataset import LeRobotDataset

sys.stderr = sys.__stderr__
torch.set_num_threads(1)
source, target, episodes, steps = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
os.environ["HF_DATASETS_CACHE"] = target + ".cache"
import datasets

datasets.disable_progress_bars()
datasets.config.HF_DATASETS_CACHE = target + ".cache"
WIDTHS = {"observation.state": 37, "action": 26}


def numbers(episode, width):
    index = numpy.arange(steps * width, dtype=numpy.int64)
    return ((episode * 7919 + index * 104729) % 1000003 / 1000003.0).astype("f4").reshape(steps, width)


features = {
    key: {"dtype": "float32", "shape": (width,), "names": [f"{key}_{i}_rad" for i in range(width)]}
    for key, width in WIDTHS.items()
}
begin = time.perf_counter()
data = LeRobotDataset.create("local/bench", 50, features, root=target, robot_type="bench", use_videos=False)
for episode in range(episodes):
    arrays = {key: numbers(episode, width) for key, width in WIDTHS.items()}
    for step in range(steps):
        data.add_frame({**{key: array[step] for key, array in arrays.items()}, "task": "lift"})
    data.save_episode()
data.finalize()
written = time.perf_counter() - begin

begin = time.perf_counter()
data = LeRobotDataset("local/set", root=source)
columns = data.hf_dataset.with_format("numpy")[:]
total = sum(float(numpy.asarray(columns[key], "f8").sum()) for key in WIDTHS)
whole = time.perf_counter() - begin

begin = time.perf_counter()
data = LeRobotDataset("local/set", root=source)
total = 0.0
for row in range(len(data)):
    item = data[row]
    total += float(item["observation.state"].sum()) + float(item["action"].sum())
frames = time.perf_counter() - begin
print(written, frames, whole, total)
