"""What becomes of a parameter that several rules match: scales multiply, and a later rule may override."""

from labml_nn_optim.param_groups.rules import Rule, combine

slow, slower = Rule("0.*", lr_scale=0.5, tags="first"), Rule("*.weight", lr_scale=0.1)
print(combine([slow, slower], "0.weight"))
print(combine([slow, Rule("0.weight", lr_scale=1.0, override=True)], "0.weight"))

try:
    combine([Rule("0.*", weight_decay=0.1), Rule("*.weight", weight_decay=0.2)], "0.weight")
except ValueError as error:
    print(error)
