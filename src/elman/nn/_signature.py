"""What the constructor of a layer takes, where it passes `*args` on to its base's."""

import inspect
from inspect import Parameter, Signature

_PASSED_ON = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
_ORDER = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY, Parameter.VAR_KEYWORD)


def full_signature(cls: type) -> Signature:
    """The arguments of a constructor with those of its base in the place of `*args` and `**kwargs`.

    torch.nn.utils.skip_init, and whoever calls help, look for them there.
    """
    constructors = [vars(base)["__init__"] for base in cls.__mro__ if "__init__" in vars(base)]
    arguments: dict[str, Parameter] = {}
    for constructor in constructors:
        own = list(inspect.signature(constructor).parameters.values())[1:]
        passes_on = any(argument.kind is Parameter.VAR_POSITIONAL for argument in own)
        for argument in own:
            if not (passes_on and argument.kind in _PASSED_ON):
                arguments.setdefault(argument.name, argument)
        if not passes_on:
            break
    return Signature(sorted(arguments.values(), key=lambda argument: _ORDER.index(argument.kind)))
