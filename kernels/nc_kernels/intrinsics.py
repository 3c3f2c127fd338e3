"""What Numba cannot express: 16-bit floats, stores that bypass the cache, and a counter that threads share.

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
_CONTRACT = ("contract",)  # allows one fused multiply-add


@intrinsic
def decode(_context: Any, value: Any, like: Any) -> Any:
    """value, of any float type, in the type of the elements of the array like."""

    def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        number = {types.uint16: _from_bfloat16, types.int16: _from_float16}.get(value, _unchanged)
        return _convert(builder, number(builder, arguments[0]), context.get_data_type(like.dtype))

    return like.dtype(value, like), emit


@intrinsic
def encode(_context: Any, value: Any, like: Any) -> Any:
    """value in the type of the elements of the array like, rounded to nearest even; float64 goes through float32."""

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _encode(builder, arguments[0], like.dtype)

    return like.dtype(value, like), emit


@intrinsic
def stream_blend(_context: Any, out: Any, keep: Any, pixels: Any, paint: Any) -> Any:
    """out (n,) = keep pixels + paint, encoded and stored past the cache; every array is contiguous.

    An ordinary store first reads the line that it overwrites, which doubles the traffic of a large result. Call `fence`
    before another thread may read it.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        result, *factors = _arrays(context, builder, signature, arguments)
        lanes = VECTOR_BYTES // context.get_abi_sizeof(context.get_data_type(keep.dtype))
        address = builder.ptrtoint(result.data, _INDEX)
        gap = builder.and_(builder.neg(address), _INDEX(VECTOR_BYTES - 1))
        before = builder.udiv(gap, result.itemsize)
        head = builder.select(builder.icmp_unsigned("<", before, result.nitems), before, result.nitems)
        body = builder.sub(result.nitems, builder.urem(builder.sub(result.nitems, head), _INDEX(lanes)))

        def blend(first: Any, last: Any, width: int) -> None:
            with cgutils.for_range_slice(builder, first, last, _INDEX(width)) as (index, _):
                k, x, p = (builder.load(_vector(builder, a.data, index, width), align=1) for a in factors)
                value = builder.fadd(builder.fmul(k, x, flags=_CONTRACT), p, flags=_CONTRACT)
                value = _encode(builder, value, out.dtype)
                store = builder.store(value, _vector(builder, result.data, index, width), align=1)
                if width > 1:
                    store.align = context.get_abi_sizeof(value.type)
                    store.set_metadata("nontemporal", builder.module.add_metadata([_INT32(1)]))

        blend(_INDEX(0), head, 1)
        blend(head, body, lanes)
        blend(body, result.nitems, 1)
        return context.get_dummy_value()

    return types.void(out, keep, pixels, paint), emit


@intrinsic
def fence(_context: Any) -> Any:
    """Finish what `stream_blend` began: such stores are not ordered with the ones that tell another thread of them."""

    def emit(context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), emit


@intrinsic
def take(_context: Any, counter: Any) -> Any:
    """The number in counter (1,) of int64, which is one more afterwards; no two threads get the same."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (array,) = _arrays(context, builder, signature, arguments)
        return builder.atomic_rmw("add", array.data, _INDEX(1), "monotonic")

    return types.int64(counter), emit


# The conversions work on one number and on vectors alike.


def _unchanged(_builder: Any, value: Any) -> Any:
    return value


def _from_bfloat16(builder: Any, bits: Any) -> Any:
    """The upper half of a float32."""
    wide = builder.zext(bits, _shaped(_INT32, bits))
    return builder.bitcast(builder.shl(wide, _number(wide, 16)), _shaped(_FLOAT, bits))


def _to_bfloat16(builder: Any, value: Any) -> Any:
    bits = builder.bitcast(value, _shaped(_INT32, value))
    upper = builder.lshr(bits, _number(bits, 16))
    half = builder.add(_number(bits, 0x7FFF), builder.and_(upper, _number(bits, 1)))  # to nearest, else to even
    rounded = builder.lshr(builder.add(bits, half), _number(bits, 16))
    is_nan = builder.fcmp_unordered("uno", value, value)
    rounded = builder.select(is_nan, builder.or_(upper, _number(bits, 0x40)), rounded)
    return builder.trunc(rounded, _shaped(_INT16, value))


def _from_float16(builder: Any, bits: Any) -> Any:
    """Shifts exponent and fraction into place, then corrects the exponent's bias."""
    wide = builder.zext(bits, _shaped(_INT32, bits))
    single = _shaped(_FLOAT, bits)
    sign = builder.shl(builder.and_(wide, _number(wide, 0x8000)), _number(wide, 16))
    magnitude = builder.shl(builder.and_(wide, _number(wide, 0x7FFF)), _number(wide, 13))
    scaled = builder.fmul(builder.bitcast(magnitude, single), _number(single, 2.0**112))
    scaled = builder.bitcast(scaled, wide.type)
    infinite_or_nan = builder.icmp_unsigned(">=", magnitude, _number(wide, 0x7C00 << 13))
    scaled = builder.select(infinite_or_nan, builder.or_(scaled, _number(wide, 0x7F800000)), scaled)
    return builder.bitcast(builder.or_(scaled, sign), single)


def _to_float16(builder: Any, value: Any) -> Any:
    bits = builder.bitcast(value, _shaped(_INT32, value))

    def number(integer: int) -> Any:
        return _number(bits, integer)

    magnitude = builder.and_(bits, number(0x7FFFFFFF))
    half = builder.add(number(0xFFF), builder.and_(builder.lshr(magnitude, number(13)), number(1)))
    rounded = builder.lshr(builder.add(builder.sub(magnitude, number(112 << 23)), half), number(13))
    # A subnormal is a multiple of 2^-24, the last place of 2^-1: adding that makes the processor round.
    shifted = builder.fadd(builder.bitcast(magnitude, value.type), _number(value, 0.5))
    shifted = builder.sub(builder.bitcast(shifted, bits.type), number(126 << 23))
    rounded = builder.select(builder.icmp_unsigned("<", magnitude, number(113 << 23)), shifted, rounded)
    is_large = builder.icmp_unsigned(">=", magnitude, number(0x477FF000))  # 65,520, halfway to 2^16
    rounded = builder.select(is_large, number(0x7C00), rounded)
    is_nan = builder.icmp_unsigned(">", magnitude, number(0x7F800000))
    rounded = builder.select(is_nan, number(0x7E00), rounded)
    sign = builder.and_(builder.lshr(bits, number(16)), number(0x8000))
    return builder.trunc(builder.or_(rounded, sign), _shaped(_INT16, value))


def _encode(builder: Any, value: Any, dtype: Any) -> Any:
    if dtype == types.float64:
        return _convert(builder, value, _DOUBLE)
    number = {types.uint16: _to_bfloat16, types.int16: _to_float16}.get(dtype, _unchanged)
    return number(builder, _convert(builder, value, _FLOAT))


def _convert(builder: Any, value: Any, kind: Any) -> Any:
    """Between float and double."""
    result = _shaped(kind, value)
    if value.type == result:
        return value
    return (builder.fpext if kind == _DOUBLE else builder.fptrunc)(value, result)


def _shaped(kind: Any, like: Any) -> Any:
    """kind, or as many of it as the vector like has."""
    return ir.VectorType(kind, like.type.count) if isinstance(like.type, ir.VectorType) else kind


def _number(like: Any, number: float) -> Any:
    """A constant of the type of like, or the type like; of a vector each element."""
    kind = getattr(like, "type", like)
    return ir.Constant(kind, [number] * kind.count if isinstance(kind, ir.VectorType) else number)


def _arrays(context: Any, builder: Any, signature: Any, arguments: Any) -> list[Any]:
    return [context.make_array(t)(context, builder, a) for t, a in zip(signature.args, arguments, strict=True)]


def _vector(builder: Any, data: Any, index: Any, width: int) -> Any:
    pointer = builder.gep(data, [index])
    if width == 1:
        return pointer
    return builder.bitcast(pointer, ir.VectorType(pointer.type.pointee, width).as_pointer())
