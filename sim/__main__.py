"""``python -m sim NAME``: run cocotb benches by name."""

import sys

import click
from rich.console import Console

from golden_model.spec.command import SETTINGS, needing
from golden_model.spec.errors import SpecError
from hdl.toolchain import ToolError


@click.command(context_settings=SETTINGS)
@click.argument("names", nargs=-1, metavar="NAME...")
@click.option("--list", "show_names", is_flag=True, help="Name the benches and stop.")
@click.option("--waves", is_flag=True, help="Leave a waveform (VCD) of each configuration.")
def main(names: tuple[str, ...], *, show_names: bool, waves: bool) -> None:
    """Run benches with Verilator; each runs on all of its configurations."""
    console = Console(highlight=False, markup=False)
    if not names and not show_names:
        raise click.UsageError("Name a bench; --list shows them.")
    try:
        with needing("test", "python -m sim"):
            from sim import runner  # noqa: PLC0415
        if show_names:
            console.print("\n".join(runner.known_benches()))
            return
        for bench in [runner.load_bench(name) for name in names]:
            with console.status(f"{bench.name}: building and running"):
                outcomes = runner.run_bench(bench, waves=waves)
            for outcome in outcomes:
                console.print(f"{bench.name}, {outcome.design}: {outcome.tests} tests passed")
                if outcome.waveform:
                    console.print(f"  waveform: {outcome.waveform}", soft_wrap=True)
    except SpecError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    except ToolError as failure:
        click.echo(f"Error: {failure}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
