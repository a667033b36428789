"""What to try in the playground of each optimizer.

What a hint says of paths, `tests/experiments/playground/test_hints.py` looks up.
"""

from __future__ import annotations

import re
from pathlib import Path

from markupsafe import Markup, escape

SAME_AS_ADAM = "Choose Adam as the second optimizer: the paths lie on each other."
SIGNS = (
    "Every step has the length `lr` in x and in y, so the path cannot come to rest. On the bowl it ends in a square of "
    "that size; make `lr` smaller, and the square shrinks while the way to it grows."
)
RECTIFIED = (
    "In its first steps the denominator is left out, so one rate has to suit gradients and their signs. On Rosenbrock's "
    "valley `lr` starts at 0.001, and Adam's at 0.2."
)

HINTS = {
    "ada_belief": RECTIFIED,
    "ada_bound": "Raise `gamma` to 0.1: after 100 steps the bounds are within 10 % of `final_lr`, and the path is nearly that of SGD with "
    "momentum and that rate.",
    "adadelta": "The first steps are `lr` times three roots of `eps` long. At 1e-6 the loss needs 99 steps to a hundredth, at 1e-5 "
    "it needs 38, and at 1e-3 the path no longer comes to rest.",
    "adafactor": "A step is a part of the size of θ, and the part is never more than one over the root of the step. So on the bowl "
    "`lr` = 10 ends where 1 does.",
    "adagrad": "Choose the noisy valley and 500 steps. The steps get shorter all the way, which is what noise asks for; with "
    "RMSprop as the second optimizer you see what they do otherwise.",
    "adam": "Set `lr` to 0.1 and turn the bowl by 45 degrees: the loss after 100 steps is more than a hundred times as large. Adam "
    "scales x and y, and now the valley lies along neither.",
    "adam_8bit": f"Two numbers are too few to be kept in eight bits. {SAME_AS_ADAM}",
    "adam_fp16": f"Nothing here is in half precision. {SAME_AS_ADAM}",
    "adam_mini": "Both parameters share one denominator. With the condition number 1000 the steep direction rules it, and the "
    "path stops 1.3 before the optimum; Adam as the second optimizer arrives.",
    "adam_warmup": "Set `warmup` to 0. Without it the first step is a jump of the length `lr` in x and in y, which the path then has "
    "to make good.",
    "adam_warmup_cosine_decay": "Change `total_steps`: the rate falls until then and stays at a tenth. At 500 the path still "
    "swings after 100 steps.",
    "adamax": "Lower `betas[1]` to 0.9. The largest gradient is forgotten sooner, steps get longer where the bowl gets flat, and "
    "the path keeps swinging.",
    "adamw": "Choose Beale's function, whose optimum is at (3, 0.5), and raise `weight_decay`: at 0.1 the path ends 0.9 away from it, "
    "at 0.5 it ends 1.8 away.",
    "adan": "Set `betas[1]` to 0, so that the difference of two gradients counts for nothing: the path swings from wall to wall.",
    "ademamix": "Lower `betas[2]` to 0.99, a memory of 100 steps. The slow average then carries the path past the optimum, and it "
    "takes some hundred steps more to come back.",
    "adopt": "The first step only measures: with one step the path is a point. From then on each gradient is divided by what was known "
    "before it.",
    "amsgrad": "Set `betas[1]` to 0.9, also for Adam as the second optimizer. Where the bowl gets flat Adam forgets the steep part and "
    "steps on, AMSGrad does not and comes closer.",
    "asgd": "You see the iterate, not its average: it is SGD with a rate that falls a little. Raise `lambd`, and it falls sooner.",
    "cautious_adamw": "Choose AdamW as the second optimizer. It circles in, as its momentum has to turn; the cautious path waits "
    "where the two disagree, and comes closer.",
    "d_adapt_adam": "Leave `lr` at 1 and change `d0`, the first guess of the distance, by powers of ten: the path begins later or sooner, and arrives all "
    "the same.",
    "dog": "The first steps are some millionths long. After 100 the path has come down the steep side, and the flat way lies before it: take "
    "500, or a larger `reps_rel`.",
    "dowg": "Choose DoG as the second optimizer, and 500 steps: DoWG's loss falls to a hundredth in 38 steps, DoG's in 272. `reps_rel` hardly "
    "matters.",
    "galore": "A matrix of one column has one direction, so nothing is left out. Choose Adam as the second optimizer: with `lr` four "
    "times as large as Adam's, for `scale` is a quarter, the paths lie on each other.",
    "grams": "Choose Adam as the second optimizer. Adam circles in, as its momentum has to turn; here each step has the sign of the "
    "gradient, and comes closer.",
    "kron": "Lower `precond_lr` to 0.01: the factors learn more slowly, and the path comes to rest. The noise that they learn from is the same "
    "each time.",
    "lamb": "A step is a part of the length of θ. The bowl has its optimum at 0, where such steps vanish; on Beale's function they "
    "do not, and the path does not come to rest.",
    "laprop": "Set `betas[1]` to 0, also for Adam as the second optimizer. The momentum of signs stays within bounds, while Adam "
    "divides old gradients by new ones and leaves the picture.",
    "lars": "A step is `lr` times `trust_coefficient` of the length of θ. Raise that to 0.01 and the path arrives in a third of the "
    "steps; at 0.1 it swings.",
    "lion": SIGNS,
    "mars": "Raise `gamma` to 0.25. It makes more of the difference of two gradients; where there is no noise to cancel, that "
    "keeps the path swinging.",
    "muon": "All steps are about equally long, so the path cannot come to rest. Turn the bowl by 45 degrees and drag the start along: "
    "the path is the same, turned, since the rule sees the matrix and not its entries.",
    "nadam": "Choose Adam as the second optimizer. Nesterov's look ahead brakes in time: the loss falls to a hundredth in 4 steps, "
    "Adam's in 18.",
    "nadamw": "Choose AdamW as the second optimizer. Nesterov's look ahead brakes in time: the loss falls to a hundredth in 7 steps, "
    "AdamW's in 18.",
    "noam": "`lr` is no rate here but a factor: with `d_model` 512 and `warmup` 20, 5 means at most 0.049. A longer warm-up makes "
    "the peak lower, too.",
    "normuon": "Each row has a scale of its own, and the loss falls to a hundredth in 4 steps; Muon as the second optimizer needs 11. Neither can "
    "come to rest, since all steps are about equally long.",
    "novograd": "The first step has the length `lr` wherever you drag the start: the whole gradient is divided by its norm. Set `betas[0]` "
    "to 0, and most of the speed is gone.",
    "prodigy": "Leave `lr` at 1 and change `d0`, the first guess of the distance: the path begins later or sooner. `d_coef` "
    "scales what is found.",
    "radam": RECTIFIED,
    "rmsprop": "Choose the noisy valley and 500 steps: each step is about `lr` long, so the path never comes to rest. Adagrad as the second "
    "optimizer does.",
    "rprop": "Choose the noisy valley. Noise turns signs, each turn halves a step, and the path dies far from the optimum; with noise of size 0 "
    "it walks on.",
    "schedule_free_adamw": "You see y, where gradients are taken, and not the average x. Choose the noisy valley with 500 steps, and AdamW as the second "
    "optimizer, which ends farther away.",
    "schedule_free_sgd": "You see y, where gradients are taken, and not the average x. Raise `lr` to 0.071: SGD as the second optimizer "
    "leaves the picture at that rate, y does not.",
    "scion": "All steps are about equally long. Set `weight_decay` to 0, and the path ends 0.02 from the optimum; the decay of 1 keeps it swinging "
    "0.2 away.",
    "sgd": "The steepest curvature of the bowl is its condition number, 30. Move `lr` past 2/30 = 0.067 and the path leaves the "
    "picture; then go back, and raise `momentum` to 0.8.",
    "shampoo": "The first nine steps are Adam's, at the tenth the first roots are taken. Choose Adam as the second optimizer, with `lr` = 1 for both: "
    "there the paths part.",
    "signum": SIGNS,
    "soap": "Turn the bowl by 45 degrees and drag the start along: SOAP is Adam in the basis of the gradients it has seen, and takes "
    "the turned path.",
    "sophia": f"Nobody calls `update_hessian` here, so every step is clipped and Sophia is Signum. {SIGNS}",
    "stable_adamw": "Gradients without spikes leave nothing to clip. Set `betas[1]` to 0.999 and choose AdamW as the second optimizer: "
    "the paths lie on each other.",
    "yogi": "Set `betas[1]` to 0.9, also for Adam as the second optimizer. Where the bowl gets flat Adam forgets the steep part, Yogi "
    "only slowly, and it comes closer.",
}


def hint(name: str) -> Markup:
    """Return what to try, as HTML; raises `LookupError` for an optimizer that has no hint yet."""
    if name not in HINTS:
        raise LookupError(f"HINTS in {Path(__file__).name} must say what to try with {name}")
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(HINTS[name]))))
