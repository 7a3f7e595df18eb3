# SPDX-License-Identifier: Apache-2.0
"""`Record` and `BitRecord`: a frozen dataclass whose fields name their bytes.

    @record
    class RecordRef(BitRecord):
        number: int = wire(bits(8))
        sfi: int = wire(bits(5))
        mode: Mode = wire(bit_choice(Mode, 3))

`declaration()` is the construct that the fields make. `parse` and `build` are derived from it and
fall back on it whenever they do not succeed, so every error is the declaration's own.
"""

from __future__ import annotations

from dataclasses import Field, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self, TypeVar, dataclass_transform

from apdu.errors import FormatError
from apdu.wire.fields import fixed, wire

if TYPE_CHECKING:
    from apdu.wire.derive import Plan

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(wire, fixed))
def record(cls: type[T]) -> type[T]:
    """Make a declared layout a frozen dataclass; with a secret in it, none that can be pickled."""
    made = dataclass(frozen=True, slots=True)(cls)
    if not all(item.repr for item in fields_of(made)):
        made.__reduce__ = _stays  # type: ignore[method-assign,assignment]
    return made


def _stays(value: object) -> NoReturn:
    raise TypeError("a secret is not to be copied or stored")


class Layout:
    """What `Record` and `BitRecord` share: the declaration, and parse and build through it."""

    __slots__ = ()
    _bitwise: ClassVar[bool] = False

    @classmethod
    def declaration(cls) -> Any:
        """The construct of this format, made once."""
        return _declaration(cls)

    @classmethod
    def parse_declared(cls, raw: bytes) -> Self:
        """Parse by construct alone, build again and compare: the judge of `parse`.

        Raises FormatError when bytes are missing or left over, a value is out of its range, or
        the same value would be written otherwise.
        """
        from construct import ConstructError

        con = cls.declaration()
        try:
            found = con.parse(raw)
            value = cls(**{item.name: found[item.name] for item in fields_of(cls) if item.init})
        except (ConstructError, ValueError, LookupError) as error:
            raise FormatError(_sentence(cls, error)) from None
        if value.build_declared() != raw:
            raise FormatError(f"{cls.__name__}: {len(raw)} bytes are not its one encoding")
        return value

    def build_declared(self) -> bytes:
        """Build by construct alone, or FormatError."""
        from construct import ConstructError

        values = {item.name: getattr(self, item.name) for item in fields_of(self)}
        try:
            built: bytes = self.declaration().build(values)
        except (ConstructError, ValueError, TypeError, AttributeError, OverflowError) as error:
            raise FormatError(_sentence(type(self), error)) from None
        return built


class Record(Layout):
    """Whole bytes, field after field."""

    __slots__ = ()

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """The value that these bytes mean, or FormatError."""
        plan = _plan(cls)
        if plan is not None:
            value = plan.parse(raw)
            if value is not None:
                return value  # type: ignore[no-any-return]
        return cls.parse_declared(raw)

    @classmethod
    def build(cls, value: Self) -> bytes:
        """The bytes of a value, or FormatError."""
        plan = _plan(cls)
        if plan is not None:
            built = plan.build(value)
            if built is not None:
                return built
        return value.build_declared()

    def __bytes__(self) -> bytes:
        return self.build(self)

    @classmethod
    def parse_field(cls, name: str, raw: bytes) -> Any:
        """One field's value from its bytes alone, or FormatError."""
        from construct import ConstructError

        con = cls.declaration()._subcons[name]
        try:
            value = con.parse(raw)
            known = bool(con.build(value) == raw)
        except (ConstructError, ValueError) as error:
            raise FormatError(_sentence(cls, error)) from None
        if not known:
            raise FormatError(f"{cls.__name__}.{name}: {len(raw)} bytes are not its one encoding")
        return value

    @classmethod
    def build_field(cls, name: str, value: Any) -> bytes:
        """The bytes of one field alone, or FormatError."""
        from construct import ConstructError

        try:
            built: bytes = cls.declaration()._subcons[name].build(value)
        except (ConstructError, ValueError, TypeError, AttributeError, OverflowError) as error:
            named = f"{cls.__name__}.{name}"
            sentence = _sentence(cls, error).partition(": ")[2]
            raise FormatError(f"{named}: {sentence}") from None
        return built

    @classmethod
    def byte_length(cls) -> int:
        """Bytes of a layout whose fields all have a fixed length."""
        try:
            return _LENGTHS[cls]
        except KeyError:
            return _LENGTHS.setdefault(cls, int(cls.declaration().sizeof()))


class BitRecord(Layout):
    """Fields that share bytes: P1-P2, a class byte. Parsed by a table that fills as it is used."""

    __slots__ = ()
    _bitwise: ClassVar[bool] = True

    @classmethod
    def of(cls, number: int) -> Self:
        """The value of these bits, given as one number, or FormatError."""
        table = _TABLES.setdefault(cls, {})
        try:
            value = table[number]
        except KeyError:
            value = _fill(cls, table, number)
        if isinstance(value, str):
            raise FormatError(value)
        return value  # type: ignore[no-any-return]

    @classmethod
    def number(cls, value: Self) -> int:
        """The bits of a value as one number, or FormatError."""
        try:
            return _NUMBERS[value]
        except (KeyError, TypeError):  # not met before, or with a field that cannot be one
            number = int.from_bytes(value.build_declared())
        return _NUMBERS.setdefault(value, number)

    def __int__(self) -> int:
        return self.number(self)


_DECLARATIONS: dict[type, Any] = {}
_LENGTHS: dict[type, int] = {}
_PLANS: dict[type, Plan | None] = {}
_TABLES: dict[type, dict[int, Any]] = {}
_NUMBERS: dict[BitRecord, int] = {}
"""The other way round: what was built before, two bytes' worth of values for each layout at most.
"""


def _declaration(cls: type[Layout]) -> Any:
    if cls not in _DECLARATIONS:
        from construct import BitStruct, Struct

        from apdu.wire import codecs

        parts = [item.name / item.metadata["wire"].construct(codecs) for item in fields_of(cls)]
        _DECLARATIONS[cls] = BitStruct(*parts) if cls._bitwise else Struct(*parts)
    return _DECLARATIONS[cls]


def fields_of(layout: Any) -> tuple[Field[Any], ...]:
    """The fields of a layout, or of a value of one; `metadata["wire"]` has the format of each."""
    return fields(layout)


def _plan(cls: type[Record]) -> Plan | None:
    try:
        return _PLANS[cls]
    except KeyError:
        from apdu.wire.derive import plan

        return _PLANS.setdefault(cls, plan(cls, cls.declaration()))


def _fill(cls: type[BitRecord], table: dict[int, Any], number: int) -> Any:
    size = cls.declaration().sizeof()
    if not 0 <= number < 1 << 8 * size:
        raise FormatError(f"{cls.__name__}: {number} does not fit {size} bytes")
    try:
        value: Any = cls.parse_declared(number.to_bytes(size))
    except FormatError as error:
        value = str(error)
    table[number] = value
    return value


def _sentence(cls: type, error: Exception) -> str:
    """The field and the rule. Values stay out: a PIN or key may be among them."""
    from construct import ConstError, ConstructError, StreamError

    # A codec's own error has a path and a reason; construct's own have a path.
    path = getattr(error, "path", None) or ""
    where = path.rpartition("-> ")[2] if "->" in path else ""
    name = f"{cls.__name__}.{where}" if where else cls.__name__
    if isinstance(error, StreamError):
        return f"{name}: bytes are missing or of the wrong number"
    if isinstance(error, ConstError):
        return f"{name}: not the fixed value"
    if isinstance(error, ConstructError):
        return f"{name}: a value does not fit the field"
    reason = getattr(error, "reason", "a value is not allowed")
    return f"{name}: {reason}"
