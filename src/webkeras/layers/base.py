"""What a layer is: config keys that name themselves in every dialect, weights that know their shape, and a call."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from webkeras import ops
from webkeras.errors import ConfigError, ShapeError, WeightsError
from webkeras.graph import Value, recording
from webkeras.shapes import Shape
from webkeras.text import short

LAYERS: dict[str, type[Layer]] = {}

#: Keys that matter in training only, or say what the weights and shapes say already.
IGNORED = frozenset(
    "name trainable dtype batch_input_shape batch_shape input_shape input_dtype build_config momentum "
    "renorm renorm_clipping renorm_momentum fused virtual_batch_size adjustment synchronized".split()
)
TRAINING = ("_initializer", "_regularizer", "_constraint")  # how keys end that matter in training only
#: The same in Keras 1, and sizes that the input tells.
KERAS1 = re.compile(r"(\w+_)?init|dropout|input_dim|input_length|output_dtype")

Spelling = str | tuple[str, ...]

T = TypeVar("T", bound="type[Layer]")


class key:
    """One config key: how to read it, its default (none: required) and its name in older Keras.

    `read` takes the file's value; with `versioned` it takes the dialect as well, where the meaning changed, with
    `ranked` the number of the layer's spatial axes. An older name may be a tuple of names, whose values together are
    read as one, or a dict of names by rank.
    """

    def __init__(
        self,
        read: Callable[..., Any],
        default: Any = ...,
        *,
        keras1: Spelling | Mapping[int, Spelling] | None = None,
        keras2: str | None = None,
        versioned: bool = False,
        ranked: bool = False,
    ) -> None:
        self.read, self.default, self.versioned, self.ranked = read, default, versioned, ranked
        self.older = {1: keras1 or keras2, 2: keras2}

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def spelled(self, dialect: int, rank: int) -> Spelling:
        """The key's name in a dialect."""
        old = self.older.get(dialect)
        return (old.get(rank) if isinstance(old, Mapping) else old) or self.name

    def get(self, config: Mapping[str, Any], dialect: int, rank: int) -> Any:
        """The key's value in a config; KeyError when it is required and missing."""
        old = self.spelled(dialect, rank)
        if isinstance(old, tuple):
            value = [config[o] for o in old] if old[0] in config else self.default
        else:
            value = config.get(old, self.default)
        if value is ...:
            raise KeyError(old)
        return self.read(value, *[dialect] * self.versioned, *[rank] * self.ranked)

    def __get__(self, layer: Any, owner: type) -> Any:
        raise AttributeError(f"key {self.name!r} is read when the layer is made")


def layer(*names: str) -> Callable[[T], T]:
    """Register a class under the class names that files use, Keras 3's first."""

    def register(cls: T) -> T:
        for n in names:
            if n in LAYERS:
                raise ConfigError(f"layer {n!r} is registered twice; give one of them another name")
            LAYERS[n] = cls
        return cls

    return register


_custom: list[Mapping[str, Any]] = [{}]


@contextmanager
def custom_objects(objects: Mapping[str, Any]) -> Iterator[None]:
    """Layers made inside find classes and functions of these names; they come before our own.

    Raises ConfigError where an object is neither a Layer class nor callable.
    """
    for name, o in objects.items():
        if not callable(o) or (isinstance(o, type) and not issubclass(o, Layer)):
            raise ConfigError(f"custom_objects[{name!r}] is {o!r}; expected a function or a subclass of webkeras.Layer")
    _custom.append(objects)
    try:
        yield
    finally:
        _custom.pop()


def custom(name: str) -> Any:
    """The custom object of a name, or None."""
    return _custom[-1].get(name)


def to_give(name: str, python: str = "function") -> str:
    """How a user gives the meaning of a name, which may be anything that stands in a file."""
    name = name if len(name) <= 100 else f"{name[:100]}..."
    page = f'new WebKeras.Model({{ ..., customObjects: {{ "{name}": function }} }})'
    return f'custom_objects={{"{name}": {python}}}, in a page {page}'


def make(class_name: str, config: Mapping[str, Any], dialect: int, arrays: Sequence[Any] = ()) -> Layer:
    """The layer of a class name as files have it; ConfigError where nobody registered it."""
    own = custom(class_name)
    if isinstance(own, type):
        found: Layer = own(config, dialect, arrays)
        return found
    if hasattr(own, "layer"):  # a function outside Python, layers/outside.py
        made: Layer = own.layer(config, dialect, arrays)
        return made
    if class_name not in LAYERS:
        raise ConfigError(
            f"unknown layer {class_name!r} ({config.get('name')!r}, Keras {int(dialect)} dialect); register it with "
            f'@webkeras.layer("{class_name}"), or give {to_give(class_name, "a subclass of webkeras.Layer")}'
        )
    return LAYERS[class_name](config, dialect, arrays)


class Layer:
    """A Keras layer: `call` says what it computes, in ops; `build` which weights it has.

    Subclasses declare their config keys as class attributes; a key of the file that nobody reads is an error.
    `mask` says what becomes of Keras' mask: "pass" hands the first input's on, "stop" drops it, "use" gives it to
    `call` as the keyword `mask` (a list, where the input is one) and then asks `compute_mask`.
    `training` names config keys that matter in training only; `rank` is the number of spatial axes.
    """

    mask: ClassVar[str] = "stop"
    training: ClassVar[tuple[str, ...]] = ()
    rank: ClassVar[int] = 0
    leading: ClassVar[tuple[str, ...]] = ("batch",)  # what stands before the spatial axes

    def __init__(self, config: Mapping[str, Any], dialect: int = 3, arrays: Sequence[Any] = ()) -> None:
        if not isinstance(config, Mapping):
            raise ConfigError(f"{type(self).__name__}: config {short(config)}; expected its keys by name")
        self.name, self.dialect, self.arrays = str(config.get("name", "")), dialect, list(arrays)
        known: set[str] = {*IGNORED, *self.training}
        for k in self.keys():
            old = k.spelled(dialect, self.rank)
            known.update(old if isinstance(old, tuple) else [old])
            try:
                setattr(self, k.name, k.get(config, dialect, self.rank))
            except KeyError as e:
                raise ConfigError(f"{self}: config has no {e} (Keras {dialect} dialect)") from None
            except (TypeError, ValueError, ConfigError) as e:
                raise ConfigError(f"{self}: config key {k.name!r}: {e}") from None
        known.update(k for k in config if k.endswith(TRAINING) or (dialect == 1 and KERAS1.fullmatch(k)))
        if unknown := sorted(set(config) - known):
            raise ConfigError(f"{self}: config key {unknown[0]!r} is read by nobody (Keras {dialect} dialect)")

    @classmethod
    def keys(cls) -> list[key]:
        """The declared keys, base classes' first; a subclass may redeclare one."""
        found = {name: k for c in reversed(cls.__mro__) for name, k in vars(c).items()}
        return [k for k in found.values() if isinstance(k, key)]

    if TYPE_CHECKING:  # keys and weights are attributes that the class body does not spell out

        def __getattr__(self, name: str) -> Any: ...

    def __str__(self) -> str:
        return f"{type(self).__name__} {self.name!r}"

    def build(self, *shapes: Any) -> dict[str, Shape]:
        """The weights this layer has for inputs of these shapes, by name, in the file's order."""
        return {}

    def canonical(self, arrays: list[Any]) -> list[Any]:
        """The file's arrays in today's order and layout, where the dialect had another."""
        return arrays

    def call(self, *xs: Any, **kwargs: Any) -> Any:
        """What the layer computes."""
        raise NotImplementedError(f"{self}: has no call")

    def compute_mask(self, x: Any, mask: Any) -> Any:
        """The mask of the output, from the first argument and its mask (a list of masks, where x is a list)."""
        return mask[0] if isinstance(mask, list) else mask

    def __call__(self, *xs: Any, **kwargs: Any) -> Any:
        """Bind the weights, compute, carry the mask; every error names the layer."""
        if kwargs.pop("training", None):
            raise ConfigError(f"{self}: is called with training=True; expected inference")
        given = kwargs.pop("mask", None)
        mask = attached(xs[0]) if xs and (given is None or self.mask != "use") else given
        if self.mask == "use":
            kwargs["mask"] = mask
        try:
            with recording(str(self)):
                if self.rank:
                    self.check_axes(xs[0][0] if isinstance(xs[0], list) else xs[0])
                self.bind(*xs)
                y = self.call(*xs, **kwargs)
                out = None if self.mask == "stop" or not xs else self.compute_mask(xs[0], mask)
        except ShapeError as e:
            raise ShapeError(str(e) if str(e).startswith(str(self)) else f"{self}: {e}") from None
        return masked(y, out)

    def check_axes(self, x: Any) -> None:
        """ShapeError where the input has more or fewer axes than the layer's rank says."""
        wanted = [*self.leading, *["space"] * self.rank, "channels"]
        if len(x.shape) != len(wanted):
            raise ShapeError(f"the input is {tuple(x.shape)}; expected {len(wanted)} axes: {', '.join(wanted)}")

    def bind(self, *xs: Any) -> None:
        """Give every weight its name; WeightsError when count or shape differ from what config and input make."""
        wanted = self.build(*[[tuple(v.shape) for v in x] if isinstance(x, list) else tuple(x.shape) for x in xs])
        arrays = self.canonical(self.arrays)
        if len(arrays) != len(wanted):
            names = ", ".join(wanted) or "none"
            hint = "" if arrays else "; are the weights in another file? give that one too"
            count = f"the file has {len(arrays)} weights, the layer takes {len(wanted)} ({names})"
            raise WeightsError(f"{self}: {count}{hint}")
        for (name, shape), a in zip(wanted.items(), arrays, strict=True):
            if tuple(a.shape) != tuple(shape):
                raise WeightsError(
                    f"{self}: {name} is {tuple(a.shape)} in the file, config and input make it {tuple(shape)}"
                )
            setattr(self, name, a)


def attached(x: Any) -> Any:
    """Keras' mask of a tensor; of a list of tensors, the list of theirs."""
    return [attached(v) for v in x] if isinstance(x, list) else getattr(x, "mask", None)


def masked(y: Any, mask: Any) -> Any:
    """y with this mask on its first tensor; one that is an input and has another mask is copied."""
    if isinstance(y, list | tuple):
        return type(y)([masked(y[0], mask), *y[1:]])
    if isinstance(y, Value) and y.mask is not mask:
        y = ops.reshape(y, shape=y.shape) if y.mask is not None else y
        y.mask = mask
    return y
