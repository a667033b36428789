import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from experiments.bare import train_bare
from experiments.checkpoints import Checkpoints
from experiments.schedules import make_schedulers
from experiments.training import (
    MOST_CHECKS,
    MOST_POINTS,
    PLAIN,
    POINTS_PER_EPOCH,
    History,
    Plan,
    UsesCurvature,
    at_its_average,
    batches,
    estimate_curvature,
    evaluate,
    shuffled,
    train,
)
from labml_nn_optim import Adam, get_optimizer, optimizer_names
from tests.experiments.examples import make_configuration

CPU = torch.device("cpu")


def make_plan(**changes):
    values = {"samples": 60, "batch_size": 7, "epochs": 3.0, "seed": 5}
    return Plan(**values | changes)


def falling(optimizer, plan):
    """Return the scheduler of a linear run."""
    return make_schedulers(optimizer, make_configuration(schedule="linear"), plan)


def make_model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 3))


class Curious(torch.optim.SGD):
    """SGD that averages squared gradients of drawn labels, and moves less where they are large."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, lr=lr)
        self.estimates = []
        for parameter in self.param_groups[0]["params"]:
            self.state[parameter]["curvature"] = torch.zeros_like(parameter)

    def update_hessian(self, n_tokens):
        gradients = [parameter.grad.clone() for parameter in self.param_groups[0]["params"]]
        self.estimates.append((n_tokens, gradients))
        for parameter in self.param_groups[0]["params"]:
            self.state[parameter]["curvature"].lerp_(n_tokens * parameter.grad**2, 0.5)

    def step(self, closure=None):
        for parameter in self.param_groups[0]["params"]:
            parameter.grad.div_(1 + self.state[parameter]["curvature"])
        super().step(closure)


plans = st.builds(
    make_plan,
    samples=st.integers(1, 500),
    batch_size=st.integers(1, 400),
    epochs=st.floats(0.01, 400).map(lambda epochs: round(epochs, 2)),
)


@given(plans)
@settings(max_examples=60, deadline=None)
def test_first_and_last_step_are_measured_and_no_series_grows_too_long(plan):
    steps = range(1, plan.total_steps + 1)
    measured = [step for step in steps if plan.measures(step)]
    evaluated = [step for step in steps if plan.evaluates(step)]
    checked = [step for step in steps if plan.checks(step)]
    assert measured[0] == 1
    assert measured[-1] == evaluated[-1] == checked[-1] == plan.total_steps
    assert len(measured) <= min(MOST_POINTS, POINTS_PER_EPOCH * math.ceil(plan.epochs))
    assert max(len(evaluated), len(checked)) <= MOST_CHECKS
    assert set(evaluated) <= set(checked)


def test_the_default_run_is_evaluated_after_each_epoch_and_checked_eight_times_in_each():
    plan = make_plan(samples=60000, batch_size=64)
    steps = range(1, plan.total_steps + 1)
    assert plan.total_steps == 2814
    assert [step for step in steps if plan.measures(step)] == [1, *range(16, 2814, 16), 2814]
    assert [step for step in steps if plan.evaluates(step)] == [938, 1876, 2814]
    assert [step for step in steps if plan.checks(step)][:9] == [
        *range(118, 827, 118),
        938,
        938 + 118,
    ]


@given(plans.filter(lambda plan: plan.total_steps < 2000))
@settings(max_examples=30, deadline=None)
def test_every_epoch_holds_every_image_once(plan):
    seen = [index for _, batch in batches(plan, 0, CPU) for index in batch.tolist()]
    assert len(seen) == plan.samples_after(plan.total_steps)
    for start in range(0, len(seen) - plan.samples + 1, plan.samples):
        assert sorted(seen[start : start + plan.samples]) == list(range(plan.samples))


@given(plans.filter(lambda plan: plan.total_steps < 500), st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_the_batches_after_any_step_are_those_of_the_run_in_one_go(plan, part):
    done = int(part * plan.total_steps)
    whole = [(step, batch.tolist()) for step, batch in batches(plan, 0, CPU)]
    rest = [(step, batch.tolist()) for step, batch in batches(plan, done, CPU)]
    assert rest == whole[done:]


def test_the_order_depends_on_seed_and_epoch_alone():
    assert torch.equal(shuffled(100, 1, 2), shuffled(100, 1, 2))
    orders = {tuple(shuffled(100, seed, epoch).tolist()) for seed in (0, 1) for epoch in (0, 1, 2)}
    assert len(orders) == 6


def test_a_step_has_its_own_learning_rate_in_every_group(small_data):
    model = make_model()
    groups = [{"params": [parameter]} for parameter in model.parameters()]
    optimizer = Adam(groups, lr=0.1)
    rates = []
    optimizer.register_step_pre_hook(
        lambda *_: rates.append({group["lr"] for group in optimizer.param_groups})
    )
    plan = make_plan(epochs=1.0)
    schedulers = falling(optimizer, plan)
    for _ in train(model, optimizer, schedulers, small_data, plan, History(CPU)):
        pass
    assert rates == [{0.1 * (1 - step / 9)} for step in range(9)]


def test_measuring_changes_nothing_about_the_training(small_data):
    plan = make_plan()
    model, bare_model = make_model(), make_model()
    optimizer, bare_optimizer = (Adam(m.parameters(), lr=0.1) for m in (model, bare_model))
    history = History(CPU)
    schedulers = falling(optimizer, plan)
    for _ in train(model, optimizer, schedulers, small_data, plan, history):
        pass
    (scheduler,) = falling(bare_optimizer, plan)
    accuracy = train_bare(bare_model, bare_optimizer, scheduler, small_data, plan=plan)
    for ours, bare in zip(model.parameters(), bare_model.parameters(), strict=True):
        assert torch.equal(ours, bare)
    assert history.curves["test"].columns["accuracy"][-1] == accuracy


def test_norms_are_those_of_gradient_and_update(small_data):
    model = make_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    history = History(CPU)
    next(iter(train(model, optimizer, [], small_data, make_plan(), history)))
    row = history.curves["train"].at(1)
    gradients = torch.cat([parameter.grad.flatten() for parameter in model.parameters()])
    assert row["gradient_norm"] == pytest.approx(gradients.norm().item(), rel=1e-6)
    assert row["update_norm"] == pytest.approx(0.5 * row["gradient_norm"], rel=1e-5)
    assert row["lr"] == 0.5


def test_the_written_loss_is_the_mean_since_the_row_before(small_data):
    model = make_model()
    plan = make_plan(samples=60, batch_size=20, epochs=200.0)
    history = History(CPU)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    for step in train(model, optimizer, [], small_data, plan, history):
        if step == 9:
            break
    # Without a step size every epoch of three batches has the same mean loss.
    losses, _ = evaluate(model, small_data.train_images, small_data.train_labels)
    table = history.curves["train"].columns
    assert table["step"] == [1, 3, 6, 9]
    assert table["loss"][2] == pytest.approx(losses.mean().item(), rel=1e-5)
    assert table["loss"][1] != pytest.approx(losses.mean().item(), rel=1e-5)


def test_evaluation_leaves_the_mode_and_the_gradients_alone(small_data):
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(16, 3))
    model.train()
    losses, correct = evaluate(model, small_data.test_images, small_data.test_labels)
    again, _ = evaluate(model, small_data.test_images, small_data.test_labels)
    assert torch.equal(losses, again)
    assert losses.shape == correct.shape == (30,)
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())


def test_the_curvature_is_estimated_before_every_tenth_step_from_the_first_on(small_data):
    model = make_model()
    optimizer = Curious(model.parameters())
    plan = make_plan()
    counts = [
        len(optimizer.estimates)
        for _ in train(model, optimizer, [], small_data, plan, History(CPU))
    ]
    assert counts == [1] * 10 + [2] * 10 + [3] * 7
    assert [n_tokens for n_tokens, _ in optimizer.estimates] == [7, 7, 7]
    assert isinstance(optimizer, UsesCurvature)
    assert not isinstance(torch.optim.SGD(model.parameters()), UsesCurvature)


def test_a_short_batch_counts_as_many_samples_as_it_has(small_data):
    model = make_model()
    optimizer = Curious(model.parameters())
    plan = make_plan(samples=50, batch_size=20, epochs=7.0)
    for _ in train(model, optimizer, [], small_data, plan, History(CPU)):
        pass
    assert [n_tokens for n_tokens, _ in optimizer.estimates] == [20, 20, 10]


def test_the_step_after_an_estimate_follows_the_true_labels_alone(small_data):
    model, other = make_model(), make_model()
    plan = make_plan()

    class Indifferent(torch.optim.SGD):
        def update_hessian(self, n_tokens):
            assert n_tokens == 7

    curious, plain = History(CPU), History(CPU)
    indifferent = Indifferent(model.parameters(), lr=0.5)
    for _ in train(model, indifferent, [], small_data, plan, curious):
        pass
    sgd = torch.optim.SGD(other.parameters(), lr=0.5)
    for _ in train(other, sgd, [], small_data, plan, plain):
        pass
    assert curious.state_dict()["curves"] == plain.state_dict()["curves"]
    for ours, theirs in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_the_drawn_labels_depend_on_seed_and_step_alone(small_data):
    def gradients(seed, step):
        model = make_model()
        optimizer = Curious(model.parameters())
        estimate_curvature(model, optimizer, small_data.train_images[:7], seed, step)
        return torch.cat([each.flatten() for each in optimizer.estimates[0][1]])

    first = gradients(5, 1)
    torch.rand(3)
    assert torch.equal(gradients(5, 1), first)
    assert not torch.equal(gradients(5, 11), first)
    assert not torch.equal(gradients(6, 1), first)


def test_the_estimates_have_the_mean_of_the_gauss_newton_diagonal(small_data):
    model, images = make_model(), small_data.train_images[:6]
    optimizer = Curious(model.parameters())
    draws = 4000
    for step in range(draws):
        estimate_curvature(model, optimizer, images, 0, step)
    estimates = [n_tokens * gradients[0] ** 2 for n_tokens, gradients in optimizer.estimates]
    # The Jacobian of a linear model is its input, and the diagonal of S is p (1 - p).
    p = model(images).softmax(dim=1).detach()
    expected = torch.einsum("bk,bi->ki", p * (1 - p), images.flatten(1) ** 2) / len(images)
    error = torch.stack(estimates).std(dim=0) / draws**0.5
    deviations = (torch.stack(estimates).mean(dim=0) - expected) / error
    assert deviations.abs().max() < 4.5
    true_labels = nn.functional.cross_entropy(model(images), small_data.train_labels[:6])
    (true,) = torch.autograd.grad(true_labels, [model[1].weight])
    assert ((6 * true**2 - expected) / error).abs().max() > 50


def test_a_network_that_has_diverged_is_estimated_without_an_error(small_data):
    model = make_model()
    model[1].weight.data.fill_(float("nan"))
    optimizer = Curious(model.parameters())
    estimate_curvature(model, optimizer, small_data.train_images[:7], 0, 1)
    assert optimizer.estimates[0][1][0].isnan().all()


def test_the_bare_loop_estimates_the_same_curvature(small_data):
    plan = make_plan()
    model, bare_model = make_model(), make_model()
    optimizer, bare_optimizer = (Curious(m.parameters(), lr=0.5) for m in (model, bare_model))
    schedulers = falling(optimizer, plan)
    for _ in train(model, optimizer, schedulers, small_data, plan, History(CPU)):
        pass
    (scheduler,) = falling(bare_optimizer, plan)
    train_bare(bare_model, bare_optimizer, scheduler, small_data, plan=plan)
    for ours, bare in zip(model.parameters(), bare_model.parameters(), strict=True):
        assert torch.equal(ours, bare)


def make_optimizer(name, model):
    kind = Curious if name == "curious" else get_optimizer(name)
    return kind(model.parameters(), lr=0.1)


@pytest.mark.parametrize("name", [*optimizer_names(), "curious"])
@pytest.mark.parametrize("done", [1, 8, 13, 26])
def test_a_run_that_goes_on_from_a_checkpoint_ends_with_the_same_numbers(
    small_data, tmp_path, name, done
):
    plan = make_plan()
    checkpoints = Checkpoints(tmp_path, name)

    def start():
        model = make_model()
        optimizer = make_optimizer(name, model)
        return model, optimizer, *falling(optimizer, plan), History(CPU)

    def steps(model, optimizer, scheduler, history):
        return train(model, optimizer, [scheduler], small_data, plan, history)

    straight = start()
    for step in steps(*straight):
        if step == done:
            checkpoints.save(step, {"parts": [part.state_dict() for part in straight]})
    resumed = start()
    state, problems = checkpoints.load_newest()
    assert problems == []
    for part, values in zip(resumed, state["parts"], strict=True):
        part.load_state_dict(values)
    assert list(steps(*resumed)) == list(range(done + 1, plan.total_steps + 1))
    assert resumed[-1].state_dict()["curves"] == straight[-1].state_dict()["curves"]
    for ours, theirs in zip(resumed[0].parameters(), straight[0].parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_diverged_loss_is_written_as_it_is(small_data):
    model = make_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e38)
    history = History(CPU)
    for _ in train(model, optimizer, [], small_data, make_plan(), history):
        pass
    assert not math.isfinite(history.curves["train"].columns["loss"][-1])


def normalized_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))


def a_few_steps(optimizer_name, model, data):
    optimizer = get_optimizer(optimizer_name)(model.parameters(), lr=0.05)
    plan = make_plan(samples=len(data.train_labels), epochs=1.0)
    for _ in train(model, optimizer, [], data, plan, History(CPU)):
        pass
    return optimizer


def test_a_schedule_free_optimizer_is_looked_at_with_its_average_and_goes_on_without(small_data):
    model = normalized_network()
    optimizer = a_few_steps("schedule_free_adamw", model, small_data)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with at_its_average(model, optimizer, small_data, PLAIN):
        assert not any(group["train_mode"] for group in optimizer.param_groups)
        assert not torch.allclose(model[1].weight, before["1.weight"])
        seen = model[1](small_data.train_images.flatten(1)).detach()
        torch.testing.assert_close(model[2].running_mean, seen.mean(dim=0), rtol=0.1, atol=0.1)
        assert not torch.allclose(model[2].running_mean, before["2.running_mean"])
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=1e-5, atol=1e-6)
    assert model.training
    assert all(group["train_mode"] for group in optimizer.param_groups)


def test_any_other_optimizer_is_looked_at_as_it_is(small_data):
    model = normalized_network()
    optimizer = a_few_steps("adamw", model, small_data)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with at_its_average(model, optimizer, small_data, PLAIN):
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
