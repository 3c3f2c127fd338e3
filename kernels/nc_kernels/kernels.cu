// Trigger application and median statistics. Compiled by NVRTC through CuPy (cuda.py), by nvcc, and as plain C++ by the
// tests; hence no headers, no vendor types and no shared memory. 16-bit floats are their bits in unsigned short.
// An image is planar, at [channel * pixels + pixel], or channels last, at [pixel * channels + channel].

typedef long long index_t;
struct bfloat16 { unsigned short bits; };
struct float16 { unsigned short bits; };

__device__ inline unsigned int float_bits(float value) { union { float f; unsigned int u; } both; both.f = value; return both.u; }
__device__ inline float bits_float(unsigned int bits) { union { float f; unsigned int u; } both; both.u = bits; return both.f; }

__device__ inline void store(float value, float* out) { *out = value; }
__device__ inline void store(float value, double* out) { *out = value; }
__device__ inline void store(double value, double* out) { *out = value; }
__device__ inline void store(double value, float* out) { *out = (float)value; }

// To nearest even; a double goes through a float.
__device__ inline void store(float value, bfloat16* out) {
    unsigned int bits = float_bits(value), upper = bits >> 16;
    bool is_nan = (bits & 0x7FFFFFFFu) > 0x7F800000u;
    out->bits = (unsigned short)(is_nan ? upper | 0x40u : (bits + 0x7FFFu + (upper & 1u)) >> 16);
}
__device__ inline void store(float value, float16* out) {
    unsigned int bits = float_bits(value), magnitude = bits & 0x7FFFFFFFu, result;
    if (magnitude > 0x7F800000u) result = 0x7E00u;                 // NaN
    else if (magnitude >= 0x477FF000u) result = 0x7C00u;           // 65,520 and more is infinite
    else if (magnitude < 113u << 23)                               // subnormal: 2^-24 is the last place of 2^-1
        result = float_bits(bits_float(magnitude) + 0.5f) - (126u << 23);
    else result = (magnitude - (112u << 23) + 0xFFFu + ((magnitude >> 13) & 1u)) >> 13;
    out->bits = (unsigned short)(result | ((bits >> 16) & 0x8000u));
}
__device__ inline void store(double value, bfloat16* out) { store((float)value, out); }
__device__ inline void store(double value, float16* out) { store((float)value, out); }

__device__ inline float load(float value) { return value; }
__device__ inline double load(double value) { return value; }
__device__ inline float load(bfloat16 value) { return bits_float((unsigned int)value.bits << 16); }
__device__ inline float load(float16 value) {
    unsigned int magnitude = (value.bits & 0x7FFFu) << 13;
    unsigned int scaled = float_bits(bits_float(magnitude) * bits_float(239u << 23));  // 2^112 corrects the bias
    if (magnitude >= 0x7C00u << 13) scaled |= 0x7F800000u;
    return bits_float(scaled | (value.bits & 0x8000u) << 16);
}

__device__ inline index_t place(index_t channel, index_t pixel, index_t channels, index_t pixels, int last) {
    return last ? pixel * channels + channel : channel * pixels + pixel;
}
__device__ inline index_t thread_number() { return (index_t)blockIdx.x * blockDim.x + threadIdx.x; }

// out (L,B,C,HW) = ((1 - m) x + m pattern) scale + offset; a thread blends one value of one label into every image.
template <typename T, typename Out>
__device__ void blend(const T* images, const T* masks, const T* patterns, const T* scale, const T* offset, Out* out,
                      index_t labels, index_t count, index_t channels, index_t pixels, int images_last, int out_last) {
    index_t size = channels * pixels, number = thread_number();
    if (number >= labels * size) return;
    index_t label = number / size, to = number % size;
    index_t channel = out_last ? to % channels : to / pixels, pixel = out_last ? to / channels : to % pixels;
    index_t from = place(channel, pixel, channels, pixels, images_last);
    T m = masks[label * pixels + pixel];
    T keep = (1 - m) * scale[channel];
    T paint = m * patterns[label * size + channel * pixels + pixel] * scale[channel] + offset[channel];
    for (index_t image = 0; image < count; ++image)
        store(keep * images[image * size + from] + paint, out + (label * count + image) * size + to);
}

// A thread sums the gradient of one pixel of one label over the images and channels.
template <typename T, typename Grad>
__device__ void blend_backward(const Grad* grad, const T* images, const T* masks, const T* patterns, const T* scale,
                               T* grad_masks, T* grad_patterns, index_t labels, index_t count, index_t channels,
                               index_t pixels, int images_last, int grad_last) {
    index_t size = channels * pixels, number = thread_number();
    if (number >= labels * pixels) return;
    index_t label = number / pixels, pixel = number % pixels;
    T grad_mask = 0;
    for (index_t channel = 0; channel < channels; ++channel) {
        const Grad* g = grad + label * count * size + place(channel, pixel, channels, pixels, grad_last);
        const T* x = images + place(channel, pixel, channels, pixels, images_last);
        T total = 0, dot = 0;
        for (index_t image = 0; image < count; ++image) {
            T value = load(g[image * size]);
            total += value;
            dot += value * x[image * size];
        }
        index_t here = label * size + channel * pixels + pixel;
        grad_patterns[here] = masks[number] * scale[channel] * total;
        grad_mask += (patterns[here] * total - dot) * scale[channel];
    }
    grad_masks[number] = grad_mask;
}

// Floats as integers in the same order, and back: a negative float is stored as sign and magnitude.
__device__ inline int flip(int bits) { return bits < 0 ? bits ^ 0x7FFFFFFF : bits; }
__device__ inline long long flip(long long bits) { return bits < 0 ? bits ^ 0x7FFFFFFFFFFFFFFFLL : bits; }
template <typename T> struct key_of;
template <> struct key_of<float> { typedef int type; };
template <> struct key_of<double> { typedef long long type; };
template <typename T> __device__ inline typename key_of<T>::type to_key(T value) {
    union { T value; typename key_of<T>::type bits; } both;
    both.value = value;
    return flip(both.bits);
}
template <typename T> __device__ inline T from_key(typename key_of<T>::type key) {
    union { T value; typename key_of<T>::type bits; } both;
    both.bits = flip(key);
    return both.value;
}

// The median of |v - center| over the column's rows, or of v itself. The interval that holds the middle value shrinks to
// values of the data from both sides: below the bound, above it.
template <typename T>
__device__ T median_of(const T* column, index_t n, index_t stride, T center, bool absolute) {
    typedef typename key_of<T>::type key_t;
    key_t low = 0, high = 0;
    for (index_t i = 0; i < n; ++i) {
        T value = absolute ? (column[i * stride] > center ? column[i * stride] - center : center - column[i * stride])
                           : column[i * stride];
        if (value != value) return value;
        key_t key = to_key(value);
        if (i == 0 || key < low) low = key;
        if (i == 0 || key > high) high = key;
    }
    key_t first = low, top = high, upper = high;
    index_t rank = (n - 1) / 2;
    for (bool found = false;;) {
        found = low == high;
        key_t bound = found ? low : (low & high) + ((low ^ high) >> 1), at_most = low, above = top;
        index_t not_above = 0;
        for (index_t i = 0; i < n; ++i) {
            T value = absolute
                ? (column[i * stride] > center ? column[i * stride] - center : center - column[i * stride])
                : column[i * stride];
            key_t key = to_key(value);
            if (key <= bound) { ++not_above; if (key > at_most) at_most = key; }
            else if (key < above) above = key;
        }
        if (found) { first = low; upper = n % 2 == 1 || not_above > rank + 1 ? low : above; break; }
        if (rank < not_above) high = at_most; else low = above;
    }
    T a = from_key<T>(first), b = from_key<T>(upper);
    return a == b ? a : a / 2 + b / 2;
}

// values (N, rows): a thread takes one column, so that neighbours read neighbours.
template <typename T>
__device__ void mad(const T* values, T* median, T* deviation, index_t rows, index_t n) {
    index_t row = thread_number();
    if (row >= rows) return;
    T center = median_of<T>(values + row, n, rows, 0, false);
    median[row] = center;
    deviation[row] = median_of<T>(values + row, n, rows, center, true);
}

#define TRIGGER(T, U)                                                                                                   \
    extern "C" __global__ void blend_##T##_##U(const T* images, const T* masks, const T* patterns, const T* scale,      \
                                               const T* offset, U* out, index_t labels, index_t count,                  \
                                               index_t channels, index_t pixels, int images_last, int out_last) {       \
        blend<T, U>(images, masks, patterns, scale, offset, out, labels, count, channels, pixels, images_last,          \
                    out_last);                                                                                          \
    }                                                                                                                   \
    extern "C" __global__ void blend_backward_##T##_##U(                                                                \
        const U* grad, const T* images, const T* masks, const T* patterns, const T* scale, T* grad_masks,               \
        T* grad_patterns, index_t labels, index_t count, index_t channels, index_t pixels, int images_last,             \
        int grad_last) {                                                                                                \
        blend_backward<T, U>(grad, images, masks, patterns, scale, grad_masks, grad_patterns, labels, count, channels,  \
                             pixels, images_last, grad_last);                                                           \
    }
#define STATISTICS(T)                                                                                                   \
    extern "C" __global__ void mad_##T(const T* values, T* median, T* deviation, index_t rows, index_t n) {             \
        mad<T>(values, median, deviation, rows, n);                                                                     \
    }

TRIGGER(float, float)
TRIGGER(float, double)
TRIGGER(float, float16)
TRIGGER(float, bfloat16)
TRIGGER(double, float)
TRIGGER(double, double)
TRIGGER(double, float16)
TRIGGER(double, bfloat16)
STATISTICS(float)
STATISTICS(double)
