"""Answers as plain JSON values and back, and the comparison of two answers. Nothing here trusts or runs what a learner wrote."""

import math

LARGEST = 200_000                       # numbers in one answer
DEPTH = 12


def linear(a, b):
    """The velocity field v(x, s) = a x + b s: an input that is a function."""
    def velocity(x, s):
        return a * x + b * s

    velocity.plain = {"linear": [a, b]}
    return velocity


def plain(value, depth=0):
    """A value as JSON: numbers, texts, None, lists; {"array"}, {"tuple"}, {"dict"}, {"set"}, {"linear"} for what JSON lacks.

    Arrays, tensors and tables of any library come out as arrays, a pandas Series with names as a dictionary. What has no such form becomes
    {"kind": its type}. ValueError for more than LARGEST numbers or a nesting beyond DEPTH.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if depth > DEPTH:
        raise ValueError("the answer is nested too deeply")
    if callable(value) and isinstance(getattr(value, "plain", None), dict):
        return value.plain
    value = as_array(value)
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        if value.size > LARGEST:
            raise ValueError(f"the answer holds {value.size} numbers")
        inside = (value.astype(float) if value.dtype.kind == "f" else value).tolist()
        return {"array": inside if value.dtype.kind in "biuf" else plain(inside, depth + 1)} if value.ndim else plain(inside, depth + 1)
    if isinstance(value, (list, tuple, dict, set, frozenset)) and len(value) > LARGEST:
        raise ValueError(f"the answer holds {len(value)} parts")
    if isinstance(value, list):
        return [plain(one, depth + 1) for one in value]
    if isinstance(value, tuple):
        return {"tuple": [plain(one, depth + 1) for one in value]}
    if isinstance(value, dict):
        return {"dict": [[plain(key, depth + 1), plain(one, depth + 1)] for key, one in value.items()]}
    if isinstance(value, (set, frozenset)):
        return {"set": sorted((plain(one, depth + 1) for one in value), key=repr)}
    if value is Ellipsis:
        return {"kind": "..."}
    return {"kind": type(value).__name__}


def as_array(value):
    """The numpy array in a torch tensor, a masked array (its data) or a table; a Series with names as a dict; else the value itself."""
    if isinstance(value, type):
        return value
    if hasattr(value, "detach"):                                    # a torch tensor; numpy knows no bfloat16
        value = value.detach().cpu()
        return (value.double() if value.is_floating_point() else value).numpy()
    if hasattr(value, "to_dict") and hasattr(value, "to_numpy") and hasattr(value, "index") and value.ndim == 1:
        return value.to_numpy() if list(value.index[:LARGEST + 1]) == list(range(len(value))) else value.to_dict()
    if hasattr(value, "to_numpy"):
        return value.to_numpy()
    import numpy as np

    return np.asarray(value) if isinstance(value, np.ndarray) else value


def restored(value):
    """The value behind its plain form; arrays come back as float or integer arrays."""
    if isinstance(value, list):
        return [restored(one) for one in value]
    if not isinstance(value, dict):
        return value
    (kind, inside), = value.items()
    if kind == "array":
        import numpy as np

        return np.array(inside)
    if kind == "linear":
        return linear(*inside)
    if kind == "dict":
        return {restored(key): restored(one) for key, one in inside}
    return {"tuple": tuple, "set": set}[kind](restored(one) for one in inside)


def bare(value):
    """A plain value with arrays, tuples and sets as lists, for comparing: who returns a tuple where a list is asked is right."""
    if isinstance(value, list):
        return [bare(one) for one in value]
    if isinstance(value, dict) and len(value) == 1:
        (kind, inside), = value.items()
        if kind in ("array", "tuple", "set") and isinstance(inside, list):
            return bare(inside)
        if kind == "dict" and isinstance(inside, list) and all(isinstance(one, list) and len(one) == 2 for one in inside):
            return {str(bare(key)): bare(one) for key, one in inside}
    return value


def same(got, expected, relative=1e-4, absolute=1e-6):
    """True when two plain values agree; numbers within the tolerances, NaN and infinity with nothing."""
    return agree(bare(got), bare(expected), relative, absolute)


def agree(a, b, relative, absolute):
    if isinstance(a, (bool, int, float)) and isinstance(b, (bool, int, float)):
        return is_finite(a) and is_finite(b) and abs(a - b) <= absolute + relative * abs(b)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(agree(x, y, relative, absolute) for x, y in zip(a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(agree(a[key], b[key], relative, absolute) for key in a)
    return type(a) is type(b) and a == b


def is_finite(value):
    """True for a number that is neither NaN nor infinite, nor too large for a float."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def leaves(value):
    """All numbers and texts in a bare value."""
    if isinstance(value, (list, dict)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from leaves(one)
    else:
        yield value


def shape(value):
    """In words what a bare value is: "a number", "a list of 3", "an array of 2 x 3"."""
    if isinstance(value, list):
        sizes, inner = [], value
        while isinstance(inner, list):
            sizes.append(len(inner))
            inner = inner[0] if inner else None
        return f"a list of {sizes[0]}" if len(sizes) == 1 else f"an array of {' x '.join(map(str, sizes))}"
    if isinstance(value, dict):
        return f"a dictionary with the keys {', '.join(list(value)[:6])}" if "kind" not in value else f"a value of kind {value['kind']}"
    return {bool: "True or False", str: "a text", type(None): "None"}.get(type(value), "a number")


def brief(value, limit=90):
    """A bare value as short text, numbers with four digits."""
    def text(one):
        if isinstance(one, list):
            return "[" + ", ".join(map(text, one[:8])) + ", ..." * (len(one) > 8) + "]"
        if isinstance(one, dict) and list(one) == ["kind"]:
            return f"something of kind {one['kind']}"
        if isinstance(one, dict):
            return "{" + ", ".join(f"{key}: {text(x)}" for key, x in list(one.items())[:8]) + "}"
        return f"{one:.4g}" if isinstance(one, float) else repr(one) if isinstance(one, str) else str(one)

    said = text(value)
    return said if len(said) <= limit else said[:limit - 4] + " ..."
