// Trigger application. Compiled by NVRTC through CuPy (cuda.py), by nvcc, and as plain C++ by the tests; hence no headers,
// no vendor types and no shared memory. 16-bit floats are their bits in unsigned short.
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

TRIGGER(float, float)
TRIGGER(float, double)
TRIGGER(float, float16)
TRIGGER(float, bfloat16)
TRIGGER(double, float)
TRIGGER(double, double)
TRIGGER(double, float16)
TRIGGER(double, bfloat16)
