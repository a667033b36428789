"""The paths that the Python classes make, which the playground has to follow."""

import torch

from experiments.playground.catalog import Entry
from experiments.playground.surfaces import NOISE, SURFACES
from experiments.playground.trace import AS_COLUMN
from labml_nn_optim import get_optimizer


def surface(name):
    return next(each for each in SURFACES if each.name == name)


def arguments(entry: Entry, values):
    """The arguments of the class that sliders with these values stand for."""
    found, tuples = {}, {}
    for slider, value in zip(entry.sliders, values, strict=True):
        if slider.hyper.place is None:
            found[slider.hyper.name] = int(value) if slider.scale == "count" else value
        else:
            tuples.setdefault(slider.hyper.name, {})[slider.hyper.place] = value
    for name, known in tuples.items():
        default = get_optimizer(entry.name)([torch.nn.Parameter(torch.zeros(2))]).defaults[name]
        found[name] = tuple(known.get(place, value) for place, value in enumerate(default))
    return found


def changed(entry: Entry, values):
    """Other values of the sliders than these, within their limits."""
    found = []
    for slider, value in zip(entry.sliders, values, strict=True):
        other = {
            "count": lambda v: v + 3,
            "memory": lambda v: 1 - 1.3 * (1 - v) if v else 0.5,
            "linear": lambda v: 0.9 * v + 0.05,
        }.get(slider.scale, lambda v: 0.7 * v)(value)
        found.append(min(slider.hyper.high, max(slider.hyper.low, other)))
    return found


def path_of_class(entry: Entry, values, on, start=None, steps=100, knobs=None):
    """The path that the optimizer's class makes in float64."""
    shape = (2, 1) if entry.name in AS_COLUMN else (2,)
    first = torch.tensor(start or on.start, dtype=torch.float64).reshape(shape)
    param = torch.nn.Parameter(first.clone())
    optimizer = get_optimizer(entry.name)([param], **arguments(entry, values))
    points = [tuple(first.flatten().tolist())]
    for step in range(steps):
        x, y = points[-1]
        _, (_, *gradient) = on.compiled()[0]([x, y, *NOISE[step], *(knobs or on.usual())])
        param.grad = torch.tensor(gradient, dtype=torch.float64).reshape(shape)
        optimizer.step()
        points.append(tuple(param.detach().flatten().tolist()))
    return points
