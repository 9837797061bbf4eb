"""Random classifier: activations in, the golden model's scores out."""

import cocotb
import numpy as np

from golden_model.draws import classifier
from hdl.rtl.classifier import LocalClassifier
from sim.bench import Bench, Regime, Sink, Source, start
from sim.benches.classifier_draws import ClassifierDraws
from sim.benches.harness import Group, Watched, dense

LAYERS = {
    f"layer{n}": dense(3, units, classes, seed=n)
    for n, (units, classes) in enumerate([(1, 2), (1, 5), (6, 2), (9, 10), (5, 3)])
}
SAMPLES = 6

BENCH = Bench(
    module=__name__,
    designs={
        "all": lambda: Watched(
            Group(**{name: LocalClassifier(layer) for name, layer in LAYERS.items()})
        )
    },
)


async def scores_of(dut, component, name, regime):
    layer = LAYERS[name]
    ClassifierDraws(dut, name, layer)
    source = Source(dut, component, f"{name}_i", stall=regime.source, seed=1)
    sink = Sink(dut, component, f"{name}_o", stall=regime.sink, seed=2)
    chance = np.random.default_rng(5)
    activations = chance.integers(0, 256, (SAMPLES, layer.units))
    activations[0], activations[1] = 255, 0
    source.send(*activations.ravel().tolist())
    expected = activations @ classifier(layer)[0]
    assert await sink.take(expected.size) == expected.ravel().tolist()


@cocotb.test()
@cocotb.parametrize(regime=list(Regime))
async def scores(dut, regime):
    component = BENCH.component()
    await start(dut, component)
    for task in [cocotb.start_soon(scores_of(dut, component, n, regime)) for n in LAYERS]:
        await task
    assert not int(dut.collision.value)
