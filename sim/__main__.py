"""``python -m sim NAME``: run cocotb benches by name."""

import sys

import click
from rich.console import Console

from golden_model.spec.errors import SpecError
from sim.runner import BenchFailure, known_benches, load_bench, run_bench


@click.command()
@click.argument("names", nargs=-1, metavar="NAME...")
@click.option("--list", "show_names", is_flag=True, help="Name the benches and stop.")
@click.option("--waves", is_flag=True, help="Leave a waveform (VCD) of each configuration.")
def main(names: tuple[str, ...], *, show_names: bool, waves: bool) -> None:
    """Run benches with Verilator; each runs on all of its configurations."""
    console = Console(highlight=False)
    if show_names:
        console.print("\n".join(known_benches()))
        return
    if not names:
        raise click.UsageError("Name a bench; --list shows them.")
    try:
        for bench in [load_bench(name) for name in names]:
            with console.status(f"{bench.name}: building and running"):
                outcomes = run_bench(bench, waves=waves)
            for outcome in outcomes:
                console.print(f"{bench.name}, {outcome.design}: {outcome.tests} tests passed")
                if outcome.waveform:
                    console.print(f"  waveform: {outcome.waveform}", soft_wrap=True)
    except SpecError as error:
        raise click.UsageError(str(error)) from error
    except BenchFailure as failure:
        console.print(str(failure), markup=False, soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
