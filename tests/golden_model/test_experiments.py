"""Experiments: what is run, kept, taken up again and reported."""

import json
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from golden_model.data.dataset import Dataset
from golden_model.experiments import __main__ as command
from golden_model.experiments import nitro, plans, runs, small
from golden_model.experiments.integers import INTEGER_PLANS, TWIN, IntegerPlan, Published
from golden_model.experiments.plans import PLANS, Choice, Plan, find_plan
from golden_model.experiments.rivals import CHOSEN
from golden_model.reference.activations import Activation
from golden_model.reference.losses import FloatLoss
from golden_model.reference.methods import MethodName
from golden_model.reference.network import Hidden, Settings
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import infer_formats
from golden_model.spec.toml import load_network

KEPT = Path(__file__).parents[2] / "docs" / "results"
SETTINGS = Settings(inputs=(16,), classes=3, hidden=(Hidden(units=30), Hidden(units=6)), rate=0.01)
TINY = Plan(
    name="tiny",
    title="Tiny",
    data="random",
    settings=SETTINGS,
    methods=(MethodName.LOCAL, MethodName.BACKPROPAGATION),
    seeds=(1, 2),
    epochs=2,
)


@pytest.fixture
def data() -> Dataset:
    """Three patterns under noise."""
    chance = np.random.default_rng(1)
    patterns = chance.integers(0, 256, (3, 16))
    labels = chance.integers(0, 3, 500).astype(np.uint8)
    x = (patterns[labels] + chance.normal(0, 20, (500, 16))).clip(0, 255).astype(np.uint8)
    return Dataset(
        name="tiny", x_train=x[:400], y_train=labels[:400], x_test=x[400:], y_test=labels[400:]
    )


def test_a_run_is_kept_and_repeats_itself(tmp_path: Path, data: Dataset) -> None:
    seen: list[int] = []
    plan = replace(TINY, epochs=15)
    found = runs.run(plan, MethodName.LOCAL, 1, data, tmp_path / "a", seen.append)
    again = runs.run(plan, MethodName.LOCAL, 1, data, tmp_path / "b", seen.append)
    assert found == again
    assert sum(seen) == 2 * 15 * 400
    assert runs.results(plan, tmp_path / "a") == [found]
    assert len(found.errors) == 15
    assert found.errors[-1][-1] is not None
    assert found.errors[-1][-1] < 0.1


def test_only_what_is_missing_is_run(tmp_path: Path, data: Dataset) -> None:
    assert len(runs.missing(TINY, tmp_path)) == 4
    runs.run(TINY, MethodName.BACKPROPAGATION, 2, data, tmp_path, lambda _: None)
    left = runs.missing(TINY, tmp_path)
    assert len(left) == 3
    assert (MethodName.BACKPROPAGATION, 2) not in left


WHOLE = {"plan": "tiny", "method": "local", "seed": 2, "settings": {}, "errors": [[None, 0.5]]}
DAMAGED = {
    "empty": "",
    "cut": json.dumps(WHOLE)[:-9],
    "no text": "\udcff",
    "no record": "[]",
    "another record": '{"plan": "tiny"}',
    "brackets": "[" * 9000,
    "another plan's": json.dumps({**WHOLE, "plan": "other"}),
    "another seed's": json.dumps({**WHOLE, "seed": 1}),
    "settings": json.dumps({**WHOLE, "settings": 3}),
    **{
        f"errors {errors}": json.dumps({**WHOLE, "errors": errors})
        for errors in (None, [], [[]], [1], [[0.5, None]], [[0.5], [0.5, 0.5]], [[2.0]], [["a"]])
    },
    "errors by name": json.dumps({**WHOLE, "errors": [{"a": 1}]}),
    "no number": json.dumps({**WHOLE, "errors": [[float("nan")]]}),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_result_is_none(what: str, tmp_path: Path) -> None:
    file = runs.result_file(TINY, MethodName.LOCAL, 2, tmp_path)
    file.parent.mkdir()
    file.write_text(json.dumps(WHOLE))
    assert (MethodName.LOCAL, 2) not in runs.missing(TINY, tmp_path)
    assert len(runs.results(TINY, tmp_path)) == 1
    file.write_bytes(DAMAGED[what].encode(errors="surrogateescape"))
    assert (MethodName.LOCAL, 2) in runs.missing(TINY, tmp_path)
    assert runs.results(TINY, tmp_path) == []


def test_damaged_pictures_are_named(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from golden_model.experiments.plots import draw_units  # noqa: PLC0415

    file = runs.result_file(TINY, MethodName.LOCAL, 1, tmp_path).with_suffix(".npz")
    file.parent.mkdir()
    file.write_bytes(b"PK, and no more")
    with pytest.raises(SpecError, match=r"local-1\.npz'.*Delete it and the \.json beside it"):
        draw_units(TINY, tmp_path, tmp_path / "units.png")


def test_all_results_that_are_kept_are_whole() -> None:
    """So that none of them is made anew by chance."""
    for plan in PLANS.values():
        kept = sum(file.suffix == ".json" for file in (KEPT / plan.name).glob("*"))
        assert len(runs.results(plan, KEPT)) == kept


def test_backpropagation_has_no_scores_of_blocks(tmp_path: Path, data: Dataset) -> None:
    found = runs.run(TINY, MethodName.BACKPROPAGATION, 1, data, tmp_path, lambda _: None)
    assert [error is None for error in found.errors[-1]] == [True, True, False]


def test_layer_by_layer_trains_one_block_at_a_time(
    tmp_path: Path, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    learning: list[list[int]] = []
    learn = runs.ReferenceNetwork.learn

    def watched(self: runs.ReferenceNetwork, *batch: object) -> None:
        if list(self.learning) not in learning:
            learning.append(list(self.learning))
        learn(self, *batch)  # type: ignore[arg-type]

    monkeypatch.setattr(runs.ReferenceNetwork, "learn", watched)
    plan = replace(TINY, layer_by_layer=True)
    found = runs.run(plan, MethodName.LOCAL, 1, data, tmp_path, lambda _: None)
    assert learning == [[0], [1], [2]]
    assert len(found.errors) == 3 * TINY.epochs


def test_tuning_counts_the_classes_that_a_unit_answers_to(data: Dataset) -> None:
    made = runs.ReferenceNetwork(SETTINGS)
    block = made.blocks[0].linear
    block.weights = np.zeros_like(block.weights)
    block.weights[:, 0] = 1.0  # the same for everybody, nearly
    block.bias = np.zeros_like(block.bias)
    assert runs.tuning(made, data, None).tolist() == [1.0]


def test_every_plan_has_three_seeds_and_a_name() -> None:
    for name, plan in PLANS.items():
        assert plan.name == name
        assert len(plan.seeds) >= 3 or plan.validation
    with pytest.raises(SpecError, match=r"mnist-narow.*Did you mean 'mnist-narrow'"):
        find_plan("mnist-narow")


def test_the_command_resumes_and_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(plans.PLANS, "tiny", TINY)
    runner, folder = CliRunner(), tmp_path / "results"
    where = ["--results", str(folder)]
    first = runner.invoke(command.main, ["tiny", *where])
    assert first.exit_code == 0, first.output
    assert "4 runs to do" in first.output
    assert json.loads((folder / "tiny" / "local-2.json").read_text())["method"] == "local"
    assert "0 runs to do" in runner.invoke(command.main, ["tiny", *where]).output
    pytest.importorskip("matplotlib")
    assert runner.invoke(command.main, ["report", *where]).exit_code == 0
    page = (tmp_path / "results.md").read_text()
    assert "python -m golden_model.experiments tiny" in page
    assert "tiny (" not in page
    answers = [run.errors[-1][-1] for run in runs.results(TINY, folder) if run.method == "local"]
    overview = next(line for line in page.splitlines() if line.startswith(f"| {TINY.title} |"))
    assert f"| {100 * np.mean(np.array(answers, float)):.2f} |" in overview
    assert (folder / "tiny.png").stat().st_size > 1000
    assert (folder / "tiny-units.png").stat().st_size > 1000
    (folder / "tiny" / "local-2.json").unlink()
    assert runner.invoke(command.main, ["report", *where]).exit_code == 0
    assert "tiny (1 of 4 runs)" in (tmp_path / "results.md").read_text()


def test_nothing_to_report_is_said(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    result = CliRunner().invoke(command.main, ["report", "--results", str(tmp_path)])
    assert result.exit_code == 2
    assert "it holds no results" in result.output


def test_integer_plans_are_run_and_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = replace(load_network("digits"), name="tiny-integers", inputs=16)
    plan = IntegerPlan(
        name="tiny-integers",
        title="Tiny, integers",
        data="random",
        networks={"16-32, integers": network, f"16-32, {TWIN}": network},
        seeds=(1, 2, 3),
        epochs=2,
    )
    monkeypatch.setitem(plans.PLANS, "tiny-integers", plan)
    runner, folder = CliRunner(), tmp_path / "results"
    where = ["--results", str(folder)]
    first = runner.invoke(command.main, ["tiny-integers", *where])
    assert first.exit_code == 0, first.output
    learners = {run.method: run.settings["learner"] for run in runs.results(plan, folder)}
    assert learners == {"16-32, integers": "GoldenEngine", f"16-32, {TWIN}": "FloatTwin"}
    pytest.importorskip("matplotlib")
    assert runner.invoke(command.main, ["report", *where]).exit_code == 0
    assert "| 16-32, integers | 3 |" in (tmp_path / "results.md").read_text()


def test_an_integer_plan_may_go_layer_by_layer(tmp_path: Path) -> None:
    network = replace(load_network("digits"), name="tiny", inputs=16)
    plan = IntegerPlan(
        name="tiny",
        title="Tiny",
        data="random",
        networks={"16-32": network},
        epochs=2,
        layer_by_layer=True,
    )
    data = runs.data_for(plan, None)
    errors = runs.run(plan, "16-32", 1, data, tmp_path, lambda _: None).errors
    assert len(errors) == plan.stages * plan.epochs == 4
    assert errors[1][0] == errors[2][0] == errors[3][0] != errors[0][0]


@pytest.mark.parametrize("plan", INTEGER_PLANS.values(), ids=INTEGER_PLANS)
def test_all_rows_of_a_plan_take_the_same_inputs(plan: IntegerPlan) -> None:
    """Its data are loaded once, as the first of them wants them."""
    taken = {(n.inputs, n.image, n.coding, n.on_off) for n in plan.networks.values()}
    assert len(taken) == 1


def test_coarser_weights_differ_in_their_rounding_only() -> None:
    plan = find_plan("cifar10-conv-ablation")
    assert isinstance(plan, IntegerPlan)
    coarse = infer_formats(plan.networks["weights with two fractional bits less"]).layers
    fine = infer_formats(load_network("cifar10-conv")).layers
    for one, other in zip(coarse[1:], fine[1:], strict=True):
        assert other.weight_fraction - one.weight_fraction == 2
        assert other.activation_shift - one.activation_shift == 2
        assert one.rate_shift - other.rate_shift == 2


def test_convolutions_are_run_and_reported_too(tmp_path: Path) -> None:
    chance = np.random.default_rng(1)
    data = Dataset(
        name="images",
        x_train=chance.integers(0, 256, (30, 8 * 8 * 6)).astype(np.uint8),
        y_train=np.arange(30).astype(np.uint8) % 3,
        x_test=chance.integers(0, 256, (15, 8 * 8 * 6)).astype(np.uint8),
        y_test=np.arange(15).astype(np.uint8) % 3,
    )
    hidden = (Hidden(units=25, kernel=3, pool=True, regions=2),)
    settings = Settings(inputs=(8, 8, 6), classes=3, hidden=hidden)
    plan = replace(TINY, settings=settings, mirror=True, jitter=1, on_off=True, batch=10)
    for method in plan.methods:
        runs.run(plan, method, 1, data, tmp_path, lambda _: None)
    pytest.importorskip("matplotlib")
    from golden_model.experiments.plots import draw_units  # noqa: PLC0415

    assert draw_units(plan, tmp_path, tmp_path / "units.png")


def test_settings_are_chosen_on_images_held_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, fast = replace(SETTINGS, rate=0.0001), replace(SETTINGS, rate=0.02)
    plan = Choice(
        name="tiny-choice",
        title="Tiny, choice",
        data="random",
        settings=SETTINGS,
        seeds=(1,),
        epochs=1,
        validation=300,
        candidates={"rate 0.0001, dropout 0.0": slow, "rate 0.02, dropout 0.0": fast},
    )
    whole = runs.data_for(TINY, None)
    data = runs.data_for(plan, None)
    assert np.array_equal(data.x_test, whole.x_train[-300:])
    assert len(data.x_train) == len(whole.x_train) - 300
    monkeypatch.setitem(plans.PLANS, plan.name, plan)
    where = ["--results", str(tmp_path / "results")]
    for name in (plan.name, "report"):
        assert CliRunner().invoke(command.main, [name, *where]).exit_code == 0
    rates = [run.settings["rate"] for run in runs.results(plan, tmp_path / "results")]
    assert rates == [0.0001, 0.02]
    page = (tmp_path / "results.md").read_text()
    assert "| rate 0.02, dropout 0.0 | 1 |" in page
    assert "## All methods" not in page


def test_the_price_of_locality_is_the_difference_of_two_plans(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = IntegerPlan(
        name="digits", title="Integers", data="digits", networks={"digits": load_network("digits")}
    )
    price = replace(TINY, name="digits-price", methods=(MethodName.BACKPROPAGATION,))
    for plan, row, seed, error in (
        (local, "digits", 1, 0.04),
        (local, "digits", 2, 0.06),
        (price, "backpropagation", 1, 0.03),
        (price, "backpropagation", 2, 0.03),
    ):
        file = runs.result_file(plan, row, seed, tmp_path)
        file.parent.mkdir(exist_ok=True)
        settings = {"rate": 0.01, "loss": "cross-entropy", "dropout": 0.0}
        run = {"plan": plan.name, "method": row, "seed": seed, "settings": settings}
        file.write_text(json.dumps({**run, "errors": [[None, None, error]]}))
    pytest.importorskip("matplotlib")
    from golden_model.experiments import report  # noqa: PLC0415

    monkeypatch.setattr(report, "PLANS", {plan.name: plan for plan in (local, price)})
    report.write_report(tmp_path, tmp_path / "page.md")
    assert "| digits | 2,410 | 5.00 | 3.00 | 2.00 |" in (tmp_path / "page.md").read_text()


def best(choice: Plan | IntegerPlan, rows: list[str]) -> str:
    """The row with the least mean error on the images held out, of those that were run."""
    errors: dict[str, list[float]] = {row: [] for row in rows}
    for run in runs.results(choice, KEPT):
        if run.method in errors:
            errors[run.method].append(run.errors[-1][-1] or 0.0)
    return min(rows, key=lambda row: np.mean(errors[row]))


@pytest.mark.parametrize("name", CHOSEN)
def test_each_method_has_its_best_candidate(name: str) -> None:
    choice, tuned = find_plan(f"{name}-choice"), find_plan(f"{name}-tuned")
    assert isinstance(choice, Choice)
    assert isinstance(tuned, Plan)
    for method in tuned.methods:
        rows = [row for row, own in choice.candidates.items() if own.method == method]
        assert tuned.settings_of(method, 1) == choice.settings_of(best(choice, rows), 1)
    assert not tuned.untuned


def test_the_deeper_network_has_its_best_candidate() -> None:
    choice = find_plan("fashion-integers-deeper-choice")
    assert best(choice, list(choice.rows)) == nitro.CHOSEN
    found = find_plan("fashion-integers-deeper")
    assert isinstance(found, IntegerPlan)
    assert list(found.networks.values()) == [nitro.CANDIDATES[nitro.CHOSEN]]


def test_the_small_network_s_file_is_its_best_candidate() -> None:
    choice, found = find_plan("mnist-conv-small-choice"), find_plan("mnist-conv-small")
    assert not runs.missing(choice, KEPT)
    assert best(choice, list(choice.rows)) == small.CHOSEN
    assert isinstance(found, IntegerPlan)
    assert found.networks == {"mnist-conv-small": small.CANDIDATES[small.CHOSEN]}


def test_results_that_are_kept_are_of_their_plan_s_settings() -> None:
    """A changed plan is run anew; older results are of ReLU, and do not say so."""
    for plan in PLANS.values():
        if isinstance(plan, IntegerPlan):
            continue
        for run in runs.results(plan, KEPT):
            wanted = plan.settings_of(run.method, run.seed)
            kept = {"activation": Activation.RELU, **run.settings}
            for key in ("method", "seed", "loss", "activation", "rate", "dropout"):
                assert kept[key] == getattr(wanted, key), (plan.name, run.method, key)


@pytest.mark.parametrize("name", ["mnist-deep", "mnist-narrow-choice"])
def test_names_beside_bars_do_not_overlap(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    from golden_model.experiments import plots  # noqa: PLC0415

    plan = find_plan(name)
    assert isinstance(plan, Plan)
    drawn: list[Any] = []
    monkeypatch.setattr(plots.plt, "close", drawn.append)
    plots.draw_errors(plan, runs.results(plan, KEPT), tmp_path / "errors.png")
    monkeypatch.undo()
    bars = drawn[0].axes[1]
    names = [*bars.get_xticklabels(), *bars.get_yticklabels()]
    boxes = [text.get_window_extent() for text in names if text.get_text() in plan.rows]
    plots.plt.close(drawn[0])
    assert len(boxes) == len(plan.rows)
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


def test_methods_with_settings_of_their_own_are_run_and_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = replace(
        SETTINGS, activation=Activation.TANH, loss=FloatLoss.BINARY_CROSS_ENTROPY, rate=0.02
    )
    methods = (MethodName.LOCAL, MethodName.DRTP)
    shared = replace(TINY, methods=methods, seeds=(1,))
    tuned = replace(
        shared, name="tiny-tuned", title="Tuned", own={methods[0]: SETTINGS, methods[1]: own}
    )
    data = runs.data_for(shared, None)
    for plan in (shared, tuned):
        for method in methods:
            runs.run(plan, method, 1, data, tmp_path, lambda _: None)
    found = {run.method: run.settings for run in runs.results(tuned, tmp_path)}
    assert (found["drtp"]["activation"], found["drtp"]["rate"]) == ("tanh", 0.02)
    assert (found["local"]["activation"], found["local"]["rate"]) == ("relu", 0.01)
    pytest.importorskip("matplotlib")
    from golden_model.experiments import report  # noqa: PLC0415

    monkeypatch.setattr(report, "PLANS", {plan.name: plan for plan in (shared, tuned)})
    report.write_report(tmp_path, tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text("utf-8")
    assert "| drtp | tanh | binary-cross-entropy | 0.02 |" in page
    overview = {line.split(" | ")[0]: line for line in page.split("\n## Tiny")[0].splitlines()}
    assert report.UNTUNED in overview["| Tiny"]
    assert report.UNTUNED not in overview["| Tuned"]
    assert "Untuned, with local errors' units, loss and rate: drtp." in page


def test_integers_stand_beside_what_others_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = IntegerPlan(
        name="digits-beside",
        title="Beside",
        data="digits",
        networks={"digits": load_network("digits")},
        seeds=(1, 2),
        published=Published(name="Others", error=5.5),
        note="Of few images.",
    )
    for seed, error in ((1, 0.04), (2, 0.06)):
        file = runs.result_file(plan, "digits", seed, tmp_path)
        file.parent.mkdir(exist_ok=True)
        run = {"plan": plan.name, "method": "digits", "seed": seed, "settings": {}}
        file.write_text(json.dumps({**run, "errors": [[None, error]]}))
    pytest.importorskip("matplotlib")
    from golden_model.experiments import report  # noqa: PLC0415

    monkeypatch.setattr(report, "PLANS", {plan.name: plan})
    report.write_report(tmp_path, tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text("utf-8")
    assert "\nOf few images.\n\n| network" in page
    assert "Others reports an error of 5.50" in page
    assert "of 2,410 weights and biases: the mean of 5.00 is 0.50 points less." in page


def test_integers_may_be_chosen_on_images_held_out_too() -> None:
    network = replace(load_network("digits"), inputs=16)
    plan = IntegerPlan(name="tiny", title="Tiny", data="random", networks={"digits": network})
    whole = runs.data_for(plan, None)
    data = runs.data_for(replace(plan, validation=300), None)
    assert np.array_equal(data.x_test, whole.x_train[-300:])
    assert len(data.x_train) == len(whole.x_train) - 300
