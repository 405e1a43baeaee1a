# All-reduce of float32 between processes of this machine by torch.distributed's gloo, one thread each. Prints one
# line of JSON: seconds of every run.
#   python3 test/bench/torch/gloo_all_reduce.py --mib 64 --size 2 --runs 7
import argparse
import json
import os
import tempfile
import time

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def member(rank, size, store, floats, runs, warmup):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=size)
    vector, seconds = torch.ones(floats), []
    for i in range(warmup + runs):
        vector.fill_(rank + 1.0)
        dist.barrier()
        started = time.perf_counter()
        dist.all_reduce(vector)
        if i >= warmup:
            seconds.append(time.perf_counter() - started)
    assert bool((vector == size * (size + 1) / 2).all()), "the sum of 1 to n is the same everywhere"
    if rank == 0:
        print(json.dumps({"torch": torch.__version__, "bytes": floats * 4, "seconds": seconds}), flush=True)
    dist.barrier()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=float, default=64)
    parser.add_argument("--size", type=int, default=2)
    parser.add_argument("--runs", type=int, default=7)
    args = parser.parse_args()
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    with tempfile.TemporaryDirectory() as folder:
        store = os.path.join(folder, "store")
        mp.spawn(member, args=(args.size, store, int(args.mib * 2**18), args.runs, 2), nprocs=args.size)


if __name__ == "__main__":
    main()
