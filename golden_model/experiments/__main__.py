"""``python -m golden_model.experiments NAME``, or ``report``."""

import sys
from pathlib import Path

import click

from golden_model.experiments.integers import IntegerPlan
from golden_model.experiments.plans import PLANS, Plan, find_plan
from golden_model.experiments.runs import data_for, missing, run
from golden_model.progress import progress_bar
from golden_model.spec.command import FOLDER, SETTINGS, needing
from golden_model.spec.errors import SpecError

RESULTS, PAGE = Path("docs/results"), Path("docs/results.md")


@click.command(context_settings=SETTINGS, epilog=f"Experiments: {', '.join(PLANS)}.")
@click.argument("name")
@click.option("--data-dir", type=FOLDER, help="Where the data sets are, instead of LOAM_DATA.")
@click.option("--results", default=RESULTS, show_default=True, type=FOLDER, help="What is kept.")
def main(name: str, data_dir: Path | None, results: Path) -> None:
    """Run what an experiment's results lack, or all experiments, or write the report.

    NAME is an experiment's, `all` or `report`. A run that was interrupted starts anew, those that
    were finished stay.
    """
    try:
        if name == "report":
            # Imported here because it takes a second.
            with needing("experiments", "the report"):
                from golden_model.experiments.report import write_report  # noqa: PLC0415

            write_report(results, results.parent / PAGE.name)
            return
        if name != "all":
            _run_missing(find_plan(name), data_dir, results)
            return
        for plan in PLANS.values():
            try:
                _run_missing(plan, data_dir, results)
            except SpecError as error:
                # All others first: what lacks may be one data set of many.
                click.echo(f"{plan.name} left out: {error}", err=True)
    except SpecError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)


def _run_missing(plan: Plan | IntegerPlan, data_dir: Path | None, results: Path) -> None:
    todo = missing(plan, results)
    with progress_bar() as progress:
        say = progress.console.print
        say(f"{plan.title}: {len(todo)} runs to do")
        if not todo:
            return
        data = data_for(plan, data_dir)
        total = len(todo) * plan.stages * plan.epochs * len(data.x_train)
        bar = progress.add_task(plan.name, total=total)
        for method, seed in todo:
            progress.update(bar, description=f"{plan.name}, {method}, seed {seed}")
            found = run(plan, method, seed, data, results, lambda n: progress.advance(bar, n))
            last = ", ".join("-" if e is None else f"{e:.2%}" for e in found.errors[-1])
            say(f"{method}, seed {seed}: test errors {last}")


if __name__ == "__main__":
    main()
