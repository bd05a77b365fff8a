"""AdEMAMix, AdamW, clipping, learning-rate schedules and the batch ramp, stated a second time in NumPy from their
papers and compared with src/optim as it runs.

    optim_peer.py PATH_TO_OPTIM_DUMP [SEED]

Exits with 77 (skipped) when no Python with numpy is at hand; CAIRN_PYTHON in the environment may name one.
"""

import json
import math
import subprocess
import sys

from python_with import require

require("numpy")
import numpy as np  # noqa: E402

ADAMW = {"beta1": 0.9, "beta2": 0.95, "epsilon": 1e-8, "weight_decay": 0.1}
ADEMAMIX = {
    "beta1": 0.9, "beta2": 0.999, "beta3": 0.9999, "alpha": 8.0, "alpha_warmup_steps": 100000,
    "beta3_warmup_steps": 100000, "epsilon": 1e-8, "weight_decay": 0.1,
}


def clip(gradients, max_norm):
    """Global L2 norm and the clipped gradients."""
    norm = math.sqrt(sum(float(np.sum(g * g)) for g in gradients))
    return norm, [g * min(1.0, max_norm / (norm + 1e-6)) for g in gradients]


def adamw(weights, steps, max_norm, c):
    """Loshchilov & Hutter 2019, algorithm 2, with decay on matrices only."""
    m = [np.zeros_like(w) for w in weights]
    v = [np.zeros_like(w) for w in weights]
    norms = []
    for t, (rate, gradients) in enumerate(steps, start=1):
        norm, gradients = clip(gradients, max_norm)
        norms.append(norm)
        for i, g in enumerate(gradients):
            m[i] = c["beta1"] * m[i] + (1 - c["beta1"]) * g
            v[i] = c["beta2"] * v[i] + (1 - c["beta2"]) * g**2
            m_hat = m[i] / (1 - c["beta1"] ** t)
            v_hat = v[i] / (1 - c["beta2"] ** t)
            decay = c["weight_decay"] if weights[i].ndim >= 2 else 0.0
            weights[i] = weights[i] - rate * (m_hat / (np.sqrt(v_hat) + c["epsilon"]) + decay * weights[i])
    return weights, {"exp_avg": m, "exp_avg_sq": v}, norms


def alpha_at(c, t):
    return c["alpha"] * min(1.0, t / c["alpha_warmup_steps"]) if c["alpha_warmup_steps"] else c["alpha"]


def beta3_at(c, t):
    """The half-life of the slow average grows linearly from that of beta1 to that of beta3."""
    if t >= c["beta3_warmup_steps"]:
        return c["beta3"]

    def f(beta):
        return math.log(0.5) / math.log(beta + 1e-8) - 1

    share = t / c["beta3_warmup_steps"]
    return 0.5 ** (1 / ((1 - share) * f(c["beta1"]) + share * f(c["beta3"]) + 1))


def ademamix(weights, steps, max_norm, c):
    """Pagliardini, Ablin & Grangier 2024, algorithm 1."""
    m1 = [np.zeros_like(w) for w in weights]
    m2 = [np.zeros_like(w) for w in weights]
    v = [np.zeros_like(w) for w in weights]
    norms = []
    for t, (rate, gradients) in enumerate(steps, start=1):
        norm, gradients = clip(gradients, max_norm)
        norms.append(norm)
        b3 = beta3_at(c, t)
        for i, g in enumerate(gradients):
            m1[i] = c["beta1"] * m1[i] + (1 - c["beta1"]) * g
            m2[i] = b3 * m2[i] + (1 - b3) * g
            v[i] = c["beta2"] * v[i] + (1 - c["beta2"]) * g**2
            m1_hat = m1[i] / (1 - c["beta1"] ** t)
            v_hat = v[i] / (1 - c["beta2"] ** t)
            decay = c["weight_decay"] if weights[i].ndim >= 2 else 0.0
            update = (m1_hat + alpha_at(c, t) * m2[i]) / (np.sqrt(v_hat) + c["epsilon"])
            weights[i] = weights[i] - rate * (update + decay * weights[i])
    return weights, {"exp_avg_fast": m1, "exp_avg_slow": m2, "exp_avg_sq": v}, norms


def learning_rate(c, n):
    if c["warmup_samples"] and n <= c["warmup_samples"]:
        return c["initial"] + (c["maximum"] - c["initial"]) * n / c["warmup_samples"]
    if c["type"] == "constant":
        return c["maximum"]
    if n > c["total_samples"]:
        return c["minimum"]
    r = (n - c["warmup_samples"]) / (c["total_samples"] - c["warmup_samples"])
    into_cooldown = n - (c["total_samples"] - c["cooldown_samples"])
    share = {
        "linear": 1 - r,
        "cosine": (1 + math.cos(math.pi * r)) / 2,
        "wsd": 1.0 if into_cooldown <= 0 else 1 - math.sqrt(into_cooldown / c["cooldown_samples"]),
    }[c["type"]]
    return c["minimum"] + share * (c["maximum"] - c["minimum"])


def batch(c, n):
    nominal = c["global_batch"]
    if c["start_batch"] and n <= c["ramp_samples"]:
        increments = (c["global_batch"] - c["start_batch"]) // c["increment"]
        nominal = c["start_batch"] + (n * increments // c["ramp_samples"]) * c["increment"]
    unit = c["microbatch"] * c["data_parallel"]
    running = nominal // unit * unit
    return [nominal, running, nominal - running]


def optimizer_request(random, name, config, num_steps, max_norm):
    shapes = {"embed": (40, 17), "norm": (17,), "alpha": (1,), "up": (23, 17)}
    weights = [random.standard_normal(s).astype(np.float32) for s in shapes.values()]
    # Gradients of very different sizes, and an element that gets none.
    scales = [1e-3, 1.0, 10.0, 0.05]
    steps = []
    for t in range(num_steps):
        gradients = [(random.standard_normal(s) * k).astype(np.float32) for s, k in zip(shapes.values(), scales)]
        gradients[3][0, 0] = 0.0
        steps.append((1e-2 / (t + 1), gradients))
    request = {
        "kind": "optimizer", "optimizer": name, "config": config, "max_norm": max_norm,
        "parameters": [
            {"name": n, "shape": list(s), "weight": w.ravel().tolist()} for (n, s), w in zip(shapes.items(), weights)
        ],
        "steps": [
            {"learning_rate": rate, "gradients": [g.ravel().tolist() for g in gradients]} for rate, gradients in steps
        ],
    }
    peer = {"adamw": adamw, "ademamix": ademamix}[name]
    wide = [(rate, [g.astype(np.float64) for g in gradients]) for rate, gradients in steps]
    return request, peer([w.astype(np.float64) for w in weights], wide, max_norm, config)


def check_optimizer(name, reply, expected, num_steps):
    weights, state, norms = expected
    # A handful of float32 roundings in each step, relative to the largest value of the tensor.
    tolerance = 8 * num_steps * 2.0**-24
    worst = 0.0
    for kind, tensors in [("weights", weights), *state.items()]:
        replies = reply["weights"] if kind == "weights" else reply["state"][kind]
        assert len(replies) == len(tensors), kind
        for got, want in zip(replies, tensors):
            error = np.max(np.abs(np.array(got) - want.ravel())) / np.max(np.abs(want))
            worst = max(worst, error)
            assert error < tolerance, f"{name}: {kind} differ by {error:.3g}, allowed {tolerance:.3g}"
    assert np.allclose(reply["norms"], norms, rtol=1e-13, atol=0), (name, reply["norms"], norms)
    print(f"{name}: {num_steps} steps, largest relative difference {worst:.3g} (allowed {tolerance:.3g})")


def schedule_requests(random):
    requests = []
    for kind in ["constant", "linear", "cosine", "wsd"]:
        for warmup, cooldown in [(0, 0), (2000, 10000), (1, 97999)]:
            config = {
                "type": kind, "maximum": 3e-4, "minimum": 3e-5, "initial": 1e-6, "warmup_samples": warmup,
                "cooldown_samples": cooldown, "total_samples": 100000,
            }
            edges = [0, 1, warmup, warmup + 1, 100000 - cooldown, 100000 - cooldown + 1, 99999, 100000, 100001, 10**7]
            samples = edges + random.integers(0, 110000, 50).tolist()
            requests.append({"kind": "schedule", **config, "samples": samples})
    return requests


def ramp_requests(random):
    configs = [
        (0, 0, 0, 1, 1), (64, 448, 5000, 4, 8), (64, 64, 5000, 4, 8), (100, 103, 77777, 3, 5), (32, 32, 333, 32, 1),
    ]
    requests = []
    for start, increment, ramp, microbatch, ranks in configs:
        config = {
            "global_batch": start + 4 * increment if 0 < increment < 448 else 512, "start_batch": start,
            "increment": increment, "ramp_samples": ramp, "microbatch": microbatch, "data_parallel": ranks,
        }
        samples = [0, 1, ramp, ramp + 1, 2 * ramp] + random.integers(0, 2 * ramp + 10, 100).tolist()
        requests.append({"kind": "ramp", **config, "samples": samples})
    return requests


def main():
    program = sys.argv[1]
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 20260801
    print(f"seed {seed}")
    random = np.random.default_rng(seed)
    short = dict(ADEMAMIX, alpha_warmup_steps=20, beta3_warmup_steps=12)
    plans = [("adamw", ADAMW, 30, 1.0), ("ademamix", ADEMAMIX, 30, 0.1), ("ademamix", short, 40, 5.0)]
    optimizers = [optimizer_request(random, *plan) for plan in plans]
    schedules = schedule_requests(random)
    ramps = ramp_requests(random)
    steps = [1, 2, 3, 10, 999, 1000, 50000, 99999, 100000, 100001, 10**6]
    betas = [{"kind": "ademamix schedules", "config": c, "steps": steps} for c in (ADEMAMIX, short)]
    requests = [request for request, _ in optimizers] + schedules + ramps + betas
    run = subprocess.run([program], input=json.dumps(requests), capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    replies = iter(json.loads(run.stdout))
    for (name, _, num_steps, _), (_, expected) in zip(plans, optimizers):
        check_optimizer(name, next(replies), expected, num_steps)
    for request in schedules:
        want = [learning_rate(request, n) for n in request["samples"]]
        assert np.allclose(next(replies), want, rtol=1e-13, atol=0), request
    for request in ramps:
        assert next(replies) == [batch(request, n) for n in request["samples"]], request
    for request in betas:
        want = [[alpha_at(request["config"], t), beta3_at(request["config"], t)] for t in steps]
        assert np.allclose(next(replies), want, rtol=1e-14, atol=0), request
    print(f"{len(schedules)} schedules, {len(ramps)} ramps, {len(betas)} pairs of AdEMAMix schedules agree")


if __name__ == "__main__":
    main()
