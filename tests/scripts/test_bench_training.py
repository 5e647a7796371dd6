"""The training benchmarks' own parts: flags, arithmetic, the reader of traces, the grid of the sweep. No timing."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from scaling_laws import config, families, spec, validation
from scaling_laws.config import ConfigError
from scaling_laws.sweep.plan import plan
from scaling_laws.sweep.planned import TaskFacts
from scripts.benchmarks import ablation, accounts, measure, operations, peers, scaling, shapes, sweep_grid, train, turns
from scripts.benchmarks.measure import ROOT, Cost

FACTS = TaskFacts(unique_tokens=10_000_000, corpus_hash="x", spec=spec.text(256, sweep_grid.SETTINGS["task.context"]))


def bench(module, *words):
    command = [sys.executable, "-m", f"scripts.benchmarks.{module}", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("module", "word", "said"),
    [
        ("train", "--only=peer", "--only: 'peer'; allowed: peers, ablation, linear; did you mean peers?"),
        ("train", "--rounds=0", "--rounds: '0'"),
        ("sweep", "--only=hot", "--only: 'hot'; allowed: cold, warm"),
    ],
)
def test_a_bad_flag_is_one_line(module, word, said):
    done = bench(module, word)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {said}")
    assert done.stderr.count("\n") == 1


def test_a_flag_of_names_defaults_to_all():
    assert train.chosen("shapes", None, shapes.REFERENCES) == ["small", "tiny", "micro"]
    assert train.chosen("shapes", "micro,small", shapes.REFERENCES) == ["micro", "small"]
    with pytest.raises(ConfigError, match=r"--shapes: 'micros'; allowed: .*; did you mean micro\?"):
        train.chosen("shapes", "tiny,micros", shapes.REFERENCES)


def test_the_script_names_its_benchmarks():
    done = subprocess.run([ROOT / "scripts/bench", "trian"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "train" in done.stderr
    assert "sweep" in done.stderr
    described = subprocess.run([ROOT / "scripts/bench", "--help"], capture_output=True, text=True, check=True)
    assert "scripts/bench train " in described.stdout
    assert "scripts/bench sweep " in described.stdout


def test_without_torch_its_rows_are_not_measured():
    rows = peers._torch("micro", peers.Rounds(ours=(1.0,), product=(1e9,)))
    assert [(row.measured, row.met) for row in rows] == [("not measured: torch is not installed", None)]


def test_an_interpreter_says_whether_it_has_torch(tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 2.0\nexit 1\n")
    python.chmod(0o755)
    assert peers.torch_version(str(python)) == ""
    python.write_text("#!/bin/sh\necho 2.0\n")
    assert peers.torch_version(str(python)) == "2.0"
    with pytest.raises(ConfigError, match="--torch_python"):
        peers.torch_version(str(tmp_path / "absent"))


def test_the_peer_is_the_attention_with_the_smaller_median():
    answers = [{"fused": 1.0, "plain": 2.0}, {"fused": 5.0, "plain": 3.0}, {"fused": 6.0, "plain": 3.0}]
    assert peers.faster(answers) == ("plain", (2.0, 3.0, 3.0))


def test_ratios_are_taken_pair_by_pair():
    # a neighbour slows both sides of a pair down alike: the ratio of the medians would be 3
    rounds = peers.Rounds(ours=(1.0, 2.0, 9.0), product=(1e9,) * 3, torch=(2.0, 6.0, 18.0), attention="fused")
    theirs, row = peers._torch("micro", rounds)
    assert row.values["ratios"] == [2.0, 3.0, 2.0]
    assert row.measured == "2.00 (2.00 to 3.00)"
    assert row.met is False
    assert theirs.measured == "43 (14 to 128)"  # 8 x 32 tokens a step


def test_the_share_is_of_the_same_rounds_product():
    rounds = peers.Rounds(ours=(0.5, 1.0), product=(93.2e9, 46.6e9))
    (row,) = peers._share("small", rounds)
    assert row.values["shares"] == pytest.approx([0.5, 0.5])
    assert row.met is False
    assert peers._share("tiny", rounds) == []


def test_the_fixed_count_of_small_is_that_of_its_products():
    small = shapes.REFERENCES["small"]
    run = shapes.run_config(shapes.changes(small))
    counted = families.count(run.model, spec.text(small.vocab_size, small.context)).flops_per_token * small.tokens
    assert counted == pytest.approx(small.flops, rel=0.005)


@pytest.mark.parametrize("name", shapes.REFERENCES)
def test_a_reference_becomes_the_run_that_it_describes(name):
    reference = shapes.REFERENCES[name]
    run = shapes.run_config(shapes.changes(reference))
    validation.validate_run(run)
    assert config.head_count(run.model) == reference.n_heads
    assert families.transformer.mlp_hidden(run.model) == 4 * reference.width
    assert run.train.batch_size * run.task.context == reference.tokens


def test_workers_keep_no_programs(monkeypatch):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/nowhere")
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    found = turns.environment()
    assert "JAX_COMPILATION_CACHE_DIR" not in found
    assert found["OMP_NUM_THREADS"] == "1"


def test_a_partner_answers_line_by_line_and_its_end_is_heard_of():
    echo = "import sys; print('{\"hello\": 1}', flush=True)\nprint(sys.stdin.readline(), end='', flush=True)"
    with turns.Partner((sys.executable, "-c", echo)) as partner:
        assert partner.hello == {"hello": 1}
        assert partner.ask(do="time", steps=3) == {"do": "time", "steps": 3}
        with pytest.raises(turns.WorkerEnded, match="ended with 0"):
            partner.ask(do="time")


PROGRAM = """HloModule jit_advance

%fused_dot (p0: f32[8,4], p1: f32[4,6]) -> f32[8,6] {
  %p0 = f32[8,4]{1,0} parameter(0)
  %p1 = f32[4,6]{1,0} parameter(1)
  ROOT %dot.1 = f32[8,6]{1,0} dot(%p0, %p1), lhs_contracting_dims={1}, rhs_contracting_dims={0}
}

%fused_tanh (q0: f32[8,6]) -> f32[8,6] {
  %q0 = f32[8,6]{1,0} parameter(0)
  ROOT %tanh.1 = f32[8,6]{1,0} tanh(%q0)
}

%fused_move (r0: f32[8,6]) -> f32[6,8] {
  %r0 = f32[8,6]{1,0} parameter(0)
  %transpose.9 = f32[6,8]{0,1} transpose(%r0), dimensions={1,0}
  ROOT %copy.9 = f32[6,8]{1,0} copy(%transpose.9)
}

%body (arg: (s32[], f32[8,6])) -> (s32[], f32[8,6]) {
  %up.1 = f32[8,6]{1,0} fusion(%a, %b), kind=kCustom, calls=%fused_dot, FORWARD/mlp/dot_general"}
  %gelu.1 = f32[8,6]{1,0} fusion(%up.1), kind=kLoop, calls=%fused_tanh, FORWARD/mlp/tanh"}
  %down.1 = f32[4,6]{1,0} dot(%c, %d), BACKWARD/mlp/dot_general"}
  %scores.1 = f32[2,3,8,8]{3,2,1,0} dot(%e, %f), FORWARD/attention/dot_general"}
  %move.1 = f32[6,8]{1,0} fusion(%down.1), kind=kLoop, calls=%fused_move, BACKWARD/attention/transpose"}
  %total.1 = f32[] reduce(%g, %zero), dimensions={0}, to_apply=%add, FORWARD/mlp_norm/reduce_sum"}
  %adam.1 = (f32[4,6]{1,0}, f32[4,6]{1,0}) fusion(%h), kind=kLoop, calls=%fused_tanh, STEP/mul"}
}

ENTRY %main (m: f32[8,6]) -> f32[8,6] {
  %while.1 = (s32[], f32[8,6]{1,0}) while(%t), condition=%cond, body=%body, STEP"}
}
"""
for _name, _scope in (
    ("FORWARD", "STEP/jvp(Transformer)/Transformer.blocks/block_0"),
    ("BACKWARD", "STEP/transpose(jvp(Transformer))/Transformer.blocks/block_0"),
    ("STEP", 'metadata={op_name="jit(advance)/while/body'),
):
    PROGRAM = PROGRAM.replace(_name, _scope)


def test_a_trace_is_charged_to_kinds_and_parts(tmp_path):
    spent = {"while.1": 99e3, "up.1": 5e3, "gelu.1": 3e3, "down.1": 7e3, "scores.1": 2e3, "move.1": 1e3}
    spent |= {"total.1": 500, "adam.1": 250, "Python's own": 4e3}
    events = [{"ph": "X", "name": name, "dur": us / 2} for name, us in spent.items() for _ in range(2)]
    events.append({"ph": "M", "name": "up.1", "args": {}})
    path = tmp_path / "trace.json.gz"
    path.write_bytes(gzip.compress(json.dumps({"traceEvents": events}).encode()))
    found = operations.by_kind(operations.read_trace(path), operations.instructions(PROGRAM))
    assert list(found.items()) == [
        (("mlp", "dense products, backward"), 7.0),
        (("mlp", "dense products, forward"), 5.0),
        (("mlp", "elementwise"), 3.0),
        (("attention", "attention products, forward"), 2.0),
        (("attention", "transposes and copies"), 1.0),
        (("norms", "reductions"), 0.5),
        (("optimiser", "elementwise"), 0.25),
    ]


def test_savings_are_shares_of_the_whole_step_of_the_same_round():
    entry = ablation.saving("no norms", [90.0, 60.0, 40.0], [100.0, 80.0, 50.0])
    assert entry == {
        "variant": "no norms",
        "milliseconds": 60.0,
        "saves": pytest.approx(0.2),
        "least": pytest.approx(0.1),
        "greatest": pytest.approx(0.25),
    }


def test_a_profile_is_shares_of_wall_time_grouped_either_way():
    found = [["mlp", "elementwise", 10.0], ["mlp", "dense", 30.0], ["norms", "elementwise", 25.0]]
    entries = ablation.shares({"milliseconds": found, "wall": 100.0, "cpu": 40.0})
    assert ablation.grouped(entries, "kind", "part") == {
        "elementwise": {"norms": 0.25, "mlp": 0.1},
        "dense": {"mlp": 0.3},
    }
    assert list(ablation.grouped(entries, "part", "kind")) == ["mlp", "norms"]


@pytest.mark.parametrize("variant", ablation.VARIANTS, ids=lambda variant: variant.name)
def test_a_variant_differs_from_the_whole_and_is_a_possible_run(variant):
    whole = ablation.WHOLE.job()
    assert variant.job() != whole
    validation.validate_run(shapes.run_config(variant.job()["changes"]))


def test_a_straight_line_is_found_and_what_misses_it_is_seen():
    x = np.array([2.0, 4.0, 8.0, 11.0])
    assert scaling.line(x, 3 + 5 * x) == pytest.approx((3, 5))
    assert scaling.step_row("depth", x, [[v, v, 9 * v] for v in 3 + 5 * x]).met
    assert scaling.misses(x, 3 + 5 * x) < 1e-12
    assert not scaling.step_row("depth", x, [[v] for v in x**2]).met


def test_every_direction_grows_one_setting_and_starts_from_possible_runs():
    for direction in scaling.DIRECTIONS:
        for value, job in zip(direction.values, direction.jobs(), strict=True):
            assert job["changes"][direction.setting] == value
            validation.validate_run(shapes.run_config(job["changes"]))
    assert scaling.DIRECTIONS[1].axis().tolist() == [512, 1024, 2048, 4096, 8192]
    assert scaling.DIRECTIONS[2].axis()[0] == 4096


def test_memory_is_held_against_its_estimate():
    answer = {"compiled": (100 << 20, 100 << 20), "resident": (120 << 20, 100 << 20)}
    row = scaling.memory_row("x", answer)
    assert row.met is False
    assert row.measured == "compiled 100.0 of 100.0 MiB (+0.0%), resident 120.0 of 100.0 MiB (+20.0%)"
    assert scaling.memory_row("x", answer | {"resident": None}).met


def test_the_drawing_holds_what_was_measured():
    steps = {"depth": (np.array([2.0, 4.0]), [[10.0, 12.0, 11.0], [20.0, 21.0, 22.0]])}
    seconds = [[3.0], [3.1, 3.1, 9.0], [3.2], [3.1], [3.3]]
    drawn = scaling.drawing(steps, seconds)
    over_depth, compiling = drawn.panels
    assert over_depth.layers[-1].y.tolist() == [11.0, 21.0]
    assert compiling.layers[-1].y.tolist() == [3.0, 3.1, 3.2, 3.1, 3.3]
    assert compiling.title == "compiling: greatest over least 1.10"
    assert scaling.compile_row(seconds).met
    assert not scaling.compile_row([[1.0], [1.3]] + [[1.0]] * 3).met


def test_the_grid_is_24_runs_of_200_steps():
    runs = plan(sweep_grid.experiment(), FACTS).runs
    assert {run.run.train.steps for run in runs} == {200}
    found = sorted((*run.shape, run.run.optimizer.learning_rate) for run in runs)
    assert found == sorted(sweep_grid.singles())
    assert len(found) == 24
    for planned in runs:  # the processes of their own train the same runs
        rate = planned.run.optimizer.learning_rate
        assert sweep_grid.single(*planned.shape, rate) == planned.run


def test_the_grid_reads_back_from_the_command_line():
    from experiments import overrides

    parsed, rest = overrides.parse(["sweep", *sweep_grid.words()])
    assert parsed == sweep_grid.experiment()
    assert rest == ["sweep"]


def row(step, compiling, wall, **more):
    return {"step_seconds": step, "compile_seconds": compiling, "wall_seconds": wall, "tokens_per_second": 9.0, **more}


def test_seconds_are_accounted_for_whatever_columns_there_are():
    rows = [row(2.0, 3.0, 6.0, write_seconds=None), row(2.0, 0.0, 2.5, write_seconds=0.25)]
    found = accounts.spent(rows, wall=10.0, workers=2)
    assert found == {"step": 4.0, "compile": 3.0, "write": 0.25, accounts.IN_RUNS: 1.25, accounts.OUTSIDE: 11.5}
    assert sum(found.values()) == 20.0


def test_a_cold_sweep_is_held_against_the_processes_pair_by_pair():
    def sweep(wall):
        return accounts.Sweep(Cost(wall, wall, 0), (row(2.0, 3.0, 6.0), row(2.0, 0.0, 2.5)))

    rows = accounts.cold([sweep(10.0), sweep(20.0)], [Cost(90.0, 45.0, 0), Cost(60.0, 100.0, 0)], workers=2)
    by_name = {row.what: row for row in rows}
    wall = by_name["processes over cold sweep, wall"]
    assert (wall.values["ratios"], wall.met) == ([4.5, 5.0], True)
    assert by_name["processes over cold sweep, CPU"].values["ratios"] == [9.0, 3.0]
    warm = {row.what: row for row in accounts.warm([sweep(2.5)], workers=2)}["warm sweep over stepping"]
    assert (warm.values["ratios"], warm.met) == ([1.25], True)


def test_a_sweep_that_lacks_a_run_is_not_measured():
    rows = [{"width": w, "depth": d, "steps_done": 200, "status": "finished"} for w, d, _ in sweep_grid.singles()]
    accounts.check(rows)
    with pytest.raises(RuntimeError, match="23 of 24"):
        accounts.check([*rows[1:], rows[0] | {"status": "diverged"}])


MINUTE = {"model.width": 8, "model.depth": 1, "model.n_heads": 2, "task.context": 8, "train.batch_size": 4}
MINUTE["model.head_init"] = "small"  # so that the first losses are those of a guess


@pytest.mark.slow  # compiles seven small programs
def test_our_worker_answers_every_job():
    job = {"changes": MINUTE | {"train.steps_per_dispatch": 2}, "vocab_size": 64}
    with turns.our_worker() as worker:
        assert worker.hello["jax"]
        account, estimate = worker.ask(do="memory", **job)["compiled"]
        assert min(account, estimate) > 4 * 4 * 64 * 8  # parameters, gradients, two moments
        assert worker.ask(do="time", **job)["loss"] == pytest.approx(np.log(64), rel=0.1)
        assert worker.ask(do="compile", **job)["seconds"] > 0
        assert worker.ask(do="product")["flops_per_second"] > 0
        kinds = {kind for _, kind, _ in worker.ask(do="profile", **job)["milliseconds"]}
        assert {"dense products, forward", "attention products, backward", "elementwise"} <= kinds
        for variant in ablation.VARIANTS:
            if variant.without:
                assert "missing" not in worker.ask(do="time", without=variant.without, **job), variant.name


def test_no_benchmark_is_heavy_before_it_runs():
    code = "import sys, scripts.benchmarks.train, scripts.benchmarks.sweep; print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_peer_stands_alone():
    source = Path(peers.TORCH_PEER).read_text()
    assert not [line for line in source.splitlines() if line.startswith(("import", "from")) and "scaling" in line]


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux alone")
def test_the_seconds_of_a_process_left_behind_are_counted():
    busy = "import time\nwhile time.process_time() < 1: pass"
    parent = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {busy!r}])"
    assert measure.child(("-m", "scripts.benchmarks.reaped", "-c", parent)).cpu > 1
