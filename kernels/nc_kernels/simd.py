"""What Numba cannot express: stores that bypass the cache, sums that stay in vector registers, 16-bit floats.

The two functions are LLVM instructions behind `numba.extending.intrinsic`. 16-bit floats are passed as their bits,
since Numba has neither type on the CPU: bfloat16 as uint16 and float16 as int16.
"""

from typing import Any

from llvmlite import ir
from numba import extending
from numba.core import cgutils, types

intrinsic: Any = extending.intrinsic  # its types name the code generator's context, which callers do not pass

VECTOR_BYTES = 64
REGISTERS = 4
"""Vectors summed at once: 64 float32 of every row, in runs of four cache lines."""
AHEAD = 3 * REGISTERS * VECTOR_BYTES
"""Bytes by which gradients are fetched in advance; the processor sees no pattern in runs so short."""

_INDEX = ir.IntType(64)
_INT32 = ir.IntType(32)
_CONTRACT = ("contract",)  # allows one fused multiply-add


@intrinsic
def stream_blend(_context: Any, out: Any, keep: Any, pixels: Any, paint: Any) -> Any:
    """out (n,) = keep pixels + paint, rounded to nearest even and stored past the cache; every array is contiguous.

    An ordinary store first reads the line that it overwrites, which doubles the traffic of a large result. Call `fence`
    before another thread may read it.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        result, *factors = _arrays(context, builder, signature, arguments)
        lanes = VECTOR_BYTES // context.get_abi_sizeof(context.get_data_type(keep.dtype))
        address = builder.ptrtoint(result.data, _INDEX)
        gap = builder.and_(builder.neg(address), _constant(VECTOR_BYTES - 1))
        head = _minimum(builder, builder.udiv(gap, result.itemsize), result.nitems)
        body = builder.add(head, _round_down(builder, builder.sub(result.nitems, head), lanes))

        def blend(first: Any, last: Any, width: int) -> None:
            with cgutils.for_range_slice(builder, first, last, _constant(width)) as (index, _):
                k, x, p = (builder.load(_vector_pointer(builder, a.data, index, width), align=1) for a in factors)
                value = builder.fadd(builder.fmul(k, x, flags=_CONTRACT), p, flags=_CONTRACT)
                value = _encode(builder, value, out.dtype, width)
                store = builder.store(value, _vector_pointer(builder, result.data, index, width))
                store.align = 1
                if width > 1:
                    store.align = context.get_abi_sizeof(value.type)
                    store.set_metadata("nontemporal", builder.module.add_metadata([_INT32(1)]))

        blend(_constant(0), head, 1)
        blend(head, body, lanes)
        blend(body, result.nitems, 1)
        return context.get_dummy_value()

    return types.void(out, keep, pixels, paint), emit


@intrinsic
def fence(_context: Any) -> Any:
    """Finish what `stream` has begun: such stores are not ordered with the ones that tell another thread of them."""

    def emit(context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), emit


@intrinsic
def prefetch(_context: Any, array: Any, _index: Any) -> Any:
    """Begin to fetch array[index], which may lie past the end, into the second-level cache."""

    def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        data = context.make_array(array)(context, builder, arguments[0]).data
        _prefetch(builder, builder.gep(data, [arguments[1]]))
        return context.get_dummy_value()

    return types.void(array, types.intp), emit


@intrinsic
def sum_and_dot(_context: Any, gradients: Any, images: Any, total: Any, dot: Any) -> Any:
    """total[:n] = sum over b of gradients (b, n), and dot[:n] = sum over b of gradients * images[:b, :n].

    The rows are contiguous. gradients may be 16-bit floats; the others share one type.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        g, x, sums, dots = _arrays(context, builder, signature, arguments)
        rows, columns = cgutils.unpack_tuple(builder, g.shape)
        scalar = context.get_data_type(total.dtype)
        lanes = VECTOR_BYTES // context.get_abi_sizeof(scalar)
        ahead = _constant(AHEAD // context.get_abi_sizeof(context.get_data_type(gradients.dtype)))
        g_stride, x_stride = (cgutils.unpack_tuple(builder, a.strides)[0] for a in (g, x))

        def sum_columns(first: Any, last: Any, vectors: int, width: int) -> None:
            zero = ir.Constant(ir.VectorType(scalar, width), None)
            with cgutils.for_range_slice(builder, first, last, _constant(vectors * width)) as (column, _):
                registers = [[cgutils.alloca_once_value(builder, zero) for _ in range(2)] for _ in range(vectors)]
                for register in (r for pair in registers for r in pair):
                    builder.store(zero, register)
                with cgutils.for_range(builder, rows) as row:
                    g_row = _row_pointer(builder, g.data, row.index, g_stride)
                    x_row = _row_pointer(builder, x.data, row.index, x_stride)
                    for number, (sum_register, dot_register) in enumerate(registers):
                        index = builder.add(column, _constant(number * width))
                        raw = builder.load(_vector_pointer(builder, g_row, index, width), align=1)
                        value = _decode(builder, raw, gradients.dtype, scalar, width)
                        pixel = builder.load(_vector_pointer(builder, x_row, index, width), align=1)
                        product = builder.fmul(value, pixel, flags=_CONTRACT)
                        builder.store(builder.fadd(builder.load(sum_register), value), sum_register)
                        builder.store(builder.fadd(builder.load(dot_register), product, flags=_CONTRACT), dot_register)
                        if width > 1:
                            _prefetch(builder, builder.gep(g_row, [builder.add(index, ahead)]))
                for number, pair in enumerate(registers):
                    index = builder.add(column, _constant(number * width))
                    for register, result in zip(pair, (sums, dots), strict=True):
                        target = _vector_pointer(builder, result.data, index, width)
                        builder.store(builder.load(register), target, align=1)

        strips = _round_down(builder, columns, REGISTERS * lanes)
        vectors = _round_down(builder, columns, lanes)
        sum_columns(_constant(0), strips, REGISTERS, lanes)
        sum_columns(strips, vectors, 1, lanes)
        sum_columns(vectors, columns, 1, 1)
        return context.get_dummy_value()

    return types.void(gradients, images, total, dot), emit


def _decode(builder: Any, raw: Any, dtype: Any, scalar: Any, width: int) -> Any:
    """Gradients of any type as a vector of the compute type."""
    floats, integers = ir.VectorType(ir.FloatType(), width), ir.VectorType(_INT32, width)

    def lanes(value: int) -> Any:
        return ir.Constant(integers, [value] * width)

    value = raw
    if dtype == types.uint16:  # bfloat16 is the upper half of a float32
        value = builder.bitcast(builder.shl(builder.zext(raw, integers), lanes(16)), floats)
    elif dtype == types.int16:  # float16: shift exponent and fraction into place, then correct the exponent's bias
        bits = builder.zext(raw, integers)
        sign = builder.shl(builder.and_(bits, lanes(0x8000)), lanes(16))
        magnitude = builder.shl(builder.and_(bits, lanes(0x7FFF)), lanes(13))
        rebias = ir.Constant(floats, [2.0**112] * width)
        scaled = builder.bitcast(builder.fmul(builder.bitcast(magnitude, floats), rebias), integers)
        infinite_or_nan = builder.icmp_unsigned(">=", magnitude, lanes(0x7C00 << 13))
        scaled = builder.select(infinite_or_nan, builder.or_(scaled, lanes(0x7F800000)), scaled)
        value = builder.bitcast(builder.or_(scaled, sign), floats)
    return _convert(builder, value, scalar, width)


def _encode(builder: Any, value: Any, dtype: Any, width: int) -> Any:
    """A vector of the compute type in the type of the result; a double becomes 16 bits by way of a float."""
    integers, shorts = ir.VectorType(_INT32, width), ir.VectorType(ir.IntType(16), width)

    def lanes(value: int) -> Any:
        return ir.Constant(integers, [value] * width)

    if dtype == types.float64:
        return _convert(builder, value, ir.DoubleType(), width)
    value = _convert(builder, value, ir.FloatType(), width)
    if dtype == types.float32:
        return value
    bits = builder.bitcast(value, integers)
    magnitude = builder.and_(bits, lanes(0x7FFFFFFF))
    is_nan = builder.icmp_unsigned(">", magnitude, lanes(0x7F800000))
    upper = builder.lshr(bits, lanes(16))
    if dtype == types.uint16:
        half = builder.add(lanes(0x7FFF), builder.and_(upper, lanes(1)))  # to nearest, to even where halfway
        rounded = builder.lshr(builder.add(bits, half), lanes(16))
        return builder.trunc(builder.select(is_nan, builder.or_(upper, lanes(0x40)), rounded), shorts)
    half = builder.add(lanes(0xFFF), builder.and_(builder.lshr(magnitude, lanes(13)), lanes(1)))
    rebased = builder.sub(magnitude, lanes(112 << 23))
    rounded = builder.lshr(builder.add(rebased, half), lanes(13))
    # A subnormal is a multiple of 2^-24, the last place of 2^-1: adding that makes the processor round.
    one_half = ir.Constant(ir.VectorType(ir.FloatType(), width), [0.5] * width)
    shifted = builder.bitcast(builder.fadd(builder.bitcast(magnitude, one_half.type), one_half), integers)
    is_small = builder.icmp_unsigned("<", magnitude, lanes(113 << 23))
    rounded = builder.select(is_small, builder.sub(shifted, lanes(126 << 23)), rounded)
    is_large = builder.icmp_unsigned(">=", magnitude, lanes(0x477FF000))  # 65,520, halfway to 2^16
    rounded = builder.select(is_large, lanes(0x7C00), rounded)
    rounded = builder.select(is_nan, lanes(0x7E00), rounded)
    return builder.trunc(builder.or_(rounded, builder.and_(upper, lanes(0x8000))), shorts)


def _convert(builder: Any, value: Any, scalar: Any, width: int) -> Any:
    """value with its lanes in float or double."""
    if value.type.element == scalar:
        return value
    change = builder.fpext if scalar == ir.DoubleType() else builder.fptrunc
    return change(value, ir.VectorType(scalar, width))


def _arrays(context: Any, builder: Any, signature: Any, arguments: Any) -> list[Any]:
    return [context.make_array(t)(context, builder, a) for t, a in zip(signature.args, arguments, strict=True)]


def _prefetch(builder: Any, pointer: Any) -> None:
    """Fetch the line at pointer into the second-level cache."""
    kind = ir.FunctionType(ir.VoidType(), [ir.IntType(8).as_pointer(), _INT32, _INT32, _INT32])
    function = builder.module.declare_intrinsic("llvm.prefetch.p0", fnty=kind)
    builder.call(function, [builder.bitcast(pointer, kind.args[0]), _INT32(0), _INT32(2), _INT32(1)])


def _constant(value: int) -> Any:
    return ir.Constant(_INDEX, value)


def _minimum(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.icmp_unsigned("<", a, b), a, b)


def _round_down(builder: Any, value: Any, multiple: int) -> Any:
    return builder.sub(value, builder.urem(value, _constant(multiple)))


def _row_pointer(builder: Any, data: Any, row: Any, stride: Any) -> Any:
    return cgutils.pointer_add(builder, data, builder.mul(row, stride))


def _vector_pointer(builder: Any, data: Any, index: Any, width: int) -> Any:
    pointer = builder.gep(data, [index])
    return builder.bitcast(pointer, ir.VectorType(pointer.type.pointee, width).as_pointer())
