#!/usr/bin/env python3
"""PyTorch on the shapes of a file of the GPU check: python3 bench/gpu/baseline.py gpu-check.json

What each row is compared with, its "torch" says. The file gets torch_ms, torch_variant and, where PyTorch decides,
pass. Every variant is run as its users would at its best: channels-last, 16-bit, cudnn.benchmark, the fastest backend
of scaled_dot_product_attention, whole networks eager, compiled and eager in a captured graph. The fastest counts.
"""

import contextlib
import json
import statistics
import sys

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from unet import unet

TYPES = {"f16": torch.float16, "bf16": torch.bfloat16}
H200_FLOP = 790e12  # what targets in ms are of
LINEAR_SHARE = 0.75  # of PyTorch's speed that products reach on cards without targets of their own


def milliseconds(run, sets, repeats=20):
    """Median of one run, the numbers taken in turn from `sets`, as a captured graph so that the host does not count."""
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for one in sets:
            run(*one)
    stream.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for one in sets:
            run(*one)
    return timed(graph.replay, repeats) / len(sets)


def timed(run, repeats=20):
    times = []
    for i in range(-3, repeats):
        before, after = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        before.record()
        run()
        after.record()
        after.synchronize()
        if i >= 0:
            times.append(before.elapsed_time(after))
    return statistics.median(times)


def sets_of(make):
    """Enough sets of tensors to be more than twice the L2."""
    first = make()
    size = sum(x.numel() * x.element_size() for x in first)
    l2 = torch.cuda.get_device_properties(0).L2_cache_size
    return [first] + [make() for _ in range(min(95, 2 * l2 // size + 1))]


def random(*shape, dtype):
    return torch.randn(*shape, dtype=dtype, device="cuda")


def linear(op, dtype):
    m, n, k = op["m"], op["n"], op["k"]
    bias = random(n, dtype=dtype)

    def run(x, w):
        y = F.linear(x, w, bias)
        if not op["geglu"]:
            return y
        value, gate = y.chunk(2, dim=-1)
        return value * F.gelu(gate)

    yield "F.linear", milliseconds(run, sets_of(lambda: (random(m, k, dtype=dtype), random(n, k, dtype=dtype))))


def conv2d(op, dtype):
    bias = random(op["cout"], dtype=dtype)

    def make():
        x = random(op["images"], op["cin"], op["side"], op["side"], dtype=dtype)
        w = random(op["cout"], op["cin"], 3, 3, dtype=dtype)
        return tuple(t.contiguous(memory_format=torch.channels_last) for t in (x, w))

    yield "F.conv2d channels_last", milliseconds(lambda x, w: F.conv2d(x, w, bias, padding=1), sets_of(make))


def attention(op, dtype):
    images, heads, head = op["images"], op["heads"], op["head"]

    def make():
        shape = [(images, heads, tokens, head) for tokens in [op["queries"], *(t for t in op["keys"] for _ in range(2))]]
        return tuple(random(*s, dtype=dtype) for s in shape)

    def run(q, *terms):
        y = F.scaled_dot_product_attention(q, terms[0], terms[1])
        for i in range(2, len(terms), 2):
            y = y + 0.6 * F.scaled_dot_product_attention(q, terms[i], terms[i + 1])
        return y

    sets = sets_of(make)
    for backend in (SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.CUDNN_ATTENTION):
        with contextlib.suppress(RuntimeError), sdpa_kernel(backend):
            yield f"SDPA {backend.name.lower()}", milliseconds(run, sets)


def norm(op, dtype):
    """In 16 bits, as PyTorch's users have their activations: half of what ours reads."""
    c = op["channels"]
    weight, bias = random(c, dtype=dtype), random(c, dtype=dtype)
    if op["op"] == "group_norm_silu":
        side = int(op["rows"] ** 0.5)

        def make():
            x = random(op["images"], c, side, op["rows"] // side, dtype=dtype)
            return (x.contiguous(memory_format=torch.channels_last),)

        yield "F.silu(F.group_norm)", milliseconds(lambda x: F.silu(F.group_norm(x, 32, weight, bias)), sets_of(make))
        return

    def make_rows():
        return (random(op["images"], op["rows"], c, dtype=dtype),)

    run = (lambda x: F.layer_norm(x, (c,), weight, bias)) if op["op"] == "layer_norm" else (lambda x: x + x)
    yield op["op"], milliseconds(run, sets_of(make_rows))


def network(op, dtype):
    model, inputs = unet(op["network"], op["batch"], op["side"], dtype)
    with torch.inference_mode():
        yield "eager", timed(lambda: model(*inputs))
        yield "eager in a graph", milliseconds(model, [inputs])
        compiled = torch.compile(model, mode="max-autotune")
        yield "compiled, max-autotune", timed(lambda: compiled(*inputs))


RUNS = {"linear": linear, "conv2d": conv2d, "attention": attention, "unet": network}


def judge(row, known, ceiling):
    """Where a target is missed, being as fast as PyTorch will do; other cards have PyTorch alone to go by."""
    right = row["err_limit"] is None or (row["err"] is not None and row["err"] <= row["err_limit"])
    if not right or row["torch_ms"] is None or row["target_ms"]:
        return
    if known:
        row["pass"] = row["pass"] or row["ms_median"] <= row["torch_ms"]
    elif row["kernel"].startswith("product"):
        row["pass"] = row["ms_median"] * LINEAR_SHARE <= row["torch_ms"]
    elif row["target"] and row["flop"] and ceiling:
        row["frac"] = row["flop"] / row["ms_median"] * 1e3 / ceiling
        row["pass"] = row["frac"] >= row["target"] or row["ms_median"] <= row["torch_ms"]


def main():
    path = sys.argv[1]
    with open(path, encoding="utf-8") as file:
        whole = json.load(file)
    torch.backends.cudnn.benchmark = True
    settings = {
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "cudnn.benchmark": True,
        "allow_fp16_reduced_precision_reduction": torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction,
        "memory_format": "channels_last",
        "card": torch.cuda.get_device_name(0),
    }
    print("PyTorch:", ", ".join(f"{key} {value}" for key, value in settings.items()))
    whole["torch"] = settings
    ceilings = whole["ceilings"]
    known = ceilings["source"].startswith("cuBLAS")
    for row in whole["measurements"]:
        op = row["torch"]
        if not op:
            continue
        try:
            for variant, ms in RUNS.get(op["op"], norm)(op, TYPES[row["dtype"]]):
                print(f"{row['kernel']:18} {row['shape']:30} {variant:24} {ms:9.4f} ms")
                if row["torch_ms"] is None or ms < row["torch_ms"]:
                    row["torch_ms"], row["torch_variant"] = ms, variant
        except (RuntimeError, torch.cuda.OutOfMemoryError) as error:
            print(f"{row['kernel']} {row['shape']}: {error}")
        torch.cuda.empty_cache()
        if row["flop"] and row["torch_ms"] and row["shape"] == "8192x8192x8192" and not known:
            theirs = row["flop"] / row["torch_ms"] * 1e3
            if theirs > (ceilings["flop_per_s"] or 0):
                ceilings["flop_per_s"], ceilings["source"] = theirs, "PyTorch's product of 8192 x 8192 x 8192"
    for row in whole["measurements"]:
        if row["target_ms"] and ceilings["flop_per_s"] and not known:
            of_h200 = {"step sd15": 8.5, "step sdxl": 44}[row["kernel"]]
            row["target_ms"] = of_h200 * H200_FLOP / ceilings["flop_per_s"]
            row["pass"] = row["ms_median"] <= row["target_ms"]
        judge(row, known, ceilings["flop_per_s"])
    # A row a line, as the program writes them.
    measurements = whole.pop("measurements")
    head = json.dumps(whole, indent=2)[:-2]
    lines = ",\n".join("    " + json.dumps(row) for row in measurements)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'{head},\n  "measurements": [\n{lines}\n  ]\n}}\n')


main()
