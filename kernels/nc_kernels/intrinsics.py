"""What Numba cannot express: 16-bit floats, and stores that bypass the cache.

Each function is LLVM instructions behind `numba.extending.intrinsic`. 16-bit floats are passed as their bits, since
Numba has neither type on the CPU: bfloat16 as uint16 and float16 as int16. The conversions have no branches, so that
the compiler makes vectors of the loops around them.
"""

from typing import Any

from llvmlite import ir
from numba import extending
from numba.core import cgutils, types

intrinsic: Any = extending.intrinsic  # its types name the code generator's context, which callers do not pass

VECTOR_BYTES = 64

_INDEX, _INT32, _INT16 = ir.IntType(64), ir.IntType(32), ir.IntType(16)
_FLOAT, _DOUBLE = ir.FloatType(), ir.DoubleType()


@intrinsic
def decode(_context: Any, value: Any, like: Any) -> Any:
    """value, of any float type, in the type of the elements of the array like."""

    def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        number = {types.uint16: _from_bfloat16, types.int16: _from_float16}.get(value, lambda _builder, bits: bits)
        return _convert(builder, number(builder, arguments[0]), context.get_data_type(like.dtype))

    return like.dtype(value, like), emit


@intrinsic
def encode(_context: Any, value: Any, like: Any) -> Any:
    """value in the type of the elements of the array like, rounded to nearest even; float64 goes through float32."""

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        if like.dtype == types.float64:
            return _convert(builder, arguments[0], _DOUBLE)
        single = _convert(builder, arguments[0], _FLOAT)
        number = {types.uint16: _to_bfloat16, types.int16: _to_float16}.get(like.dtype, lambda _builder, x: x)
        return number(builder, single)

    return like.dtype(value, like), emit


@intrinsic
def stream(_context: Any, target: Any, source: Any) -> Any:
    """target (n,) = source[:n], contiguous and of one type, past the cache.

    An ordinary store first reads the line that it overwrites, which doubles the traffic of a large result. Call `fence`
    before another thread may read it.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        to, values = (context.make_array(t)(context, builder, a) for t, a in zip(signature.args, arguments, strict=True))
        lanes = VECTOR_BYTES // context.get_abi_sizeof(context.get_data_type(target.dtype))
        address = builder.ptrtoint(to.data, _INDEX)
        gap = builder.and_(builder.neg(address), _INDEX(VECTOR_BYTES - 1))
        before = builder.udiv(gap, to.itemsize)
        head = builder.select(builder.icmp_unsigned("<", before, to.nitems), before, to.nitems)
        rest = builder.urem(builder.sub(to.nitems, head), _INDEX(lanes))

        def copy(first: Any, last: Any, width: int) -> None:
            with cgutils.for_range_slice(builder, first, last, _INDEX(width)) as (index, _):
                value = builder.load(_vector(builder, values.data, index, width), align=1)
                store = builder.store(value, _vector(builder, to.data, index, width), align=1)
                if width > 1:
                    store.align = VECTOR_BYTES
                    store.set_metadata("nontemporal", builder.module.add_metadata([_INT32(1)]))

        body = builder.sub(to.nitems, rest)
        copy(_INDEX(0), head, 1)
        copy(head, body, lanes)
        copy(body, to.nitems, 1)
        return context.get_dummy_value()

    return types.void(target, source), emit


@intrinsic
def fence(_context: Any) -> Any:
    """Finish what `stream` has begun: such stores are not ordered with the ones that tell another thread of them."""

    def emit(context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), emit


def _from_bfloat16(builder: Any, bits: Any) -> Any:
    """The upper half of a float32."""
    return builder.bitcast(builder.shl(builder.zext(bits, _INT32), _INT32(16)), _FLOAT)


def _to_bfloat16(builder: Any, value: Any) -> Any:
    bits = builder.bitcast(value, _INT32)
    upper = builder.lshr(bits, _INT32(16))
    half = builder.add(_INT32(0x7FFF), builder.and_(upper, _INT32(1)))  # to nearest, to even where halfway
    rounded = builder.lshr(builder.add(bits, half), _INT32(16))
    is_nan = builder.fcmp_unordered("uno", value, value)
    return builder.trunc(builder.select(is_nan, builder.or_(upper, _INT32(0x40)), rounded), _INT16)


def _from_float16(builder: Any, bits: Any) -> Any:
    """Shifts exponent and fraction into place, then corrects the exponent's bias."""
    sign = builder.shl(builder.zext(builder.and_(bits, _INT16(0x8000)), _INT32), _INT32(16))
    magnitude = builder.shl(builder.zext(builder.and_(bits, _INT16(0x7FFF)), _INT32), _INT32(13))
    scaled = builder.bitcast(builder.fmul(builder.bitcast(magnitude, _FLOAT), _FLOAT(2.0**112)), _INT32)
    infinite_or_nan = builder.icmp_unsigned(">=", magnitude, _INT32(0x7C00 << 13))
    scaled = builder.select(infinite_or_nan, builder.or_(scaled, _INT32(0x7F800000)), scaled)
    return builder.bitcast(builder.or_(scaled, sign), _FLOAT)


def _to_float16(builder: Any, value: Any) -> Any:
    bits = builder.bitcast(value, _INT32)
    magnitude = builder.and_(bits, _INT32(0x7FFFFFFF))
    half = builder.add(_INT32(0xFFF), builder.and_(builder.lshr(magnitude, _INT32(13)), _INT32(1)))
    rebased = builder.sub(magnitude, _INT32(112 << 23))
    rounded = builder.lshr(builder.add(rebased, half), _INT32(13))
    # A subnormal is a multiple of 2^-24, the last place of 2^-1: adding that makes the processor round.
    shifted = builder.bitcast(builder.fadd(builder.bitcast(magnitude, _FLOAT), _FLOAT(0.5)), _INT32)
    is_small = builder.icmp_unsigned("<", magnitude, _INT32(113 << 23))
    rounded = builder.select(is_small, builder.sub(shifted, _INT32(126 << 23)), rounded)
    is_large = builder.icmp_unsigned(">=", magnitude, _INT32(0x477FF000))  # 65,520, halfway to 2^16
    rounded = builder.select(is_large, _INT32(0x7C00), rounded)
    is_nan = builder.icmp_unsigned(">", magnitude, _INT32(0x7F800000))
    rounded = builder.select(is_nan, _INT32(0x7E00), rounded)
    sign = builder.and_(builder.lshr(bits, _INT32(16)), _INT32(0x8000))
    return builder.trunc(builder.or_(rounded, sign), _INT16)


def _convert(builder: Any, value: Any, kind: Any) -> Any:
    """Between float and double."""
    if value.type == kind:
        return value
    return (builder.fpext if kind == _DOUBLE else builder.fptrunc)(value, kind)


def _vector(builder: Any, data: Any, index: Any, width: int) -> Any:
    pointer = builder.gep(data, [index])
    return builder.bitcast(pointer, ir.VectorType(pointer.type.pointee, width).as_pointer())
