// Sixteen lanes at a time for block floating point: portable C++, AVX2 with F16C, AVX-512 VNNI, all with the same bits.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "block_float.hpp"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace {

using deltawave::lanes;

inline float float_of_bits(uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
}

inline uint32_t bits_of_float(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    return bits;
}

inline float power_of_two(int exponent) { return float_of_bits(uint32_t(exponent + 127) << 23); }

struct PortableBlocks {
    struct Halves {
        uint16_t lane[lanes];
    };
    struct Floats {
        float lane[lanes];
    };
    struct Ints {
        int32_t lane[lanes];
    };
    struct Weights {
        uint8_t byte[64];
    };
    typedef const int8_t* Four;
    static constexpr int chains = 1, steps_at_once = 1;

    template <class Result, class Function>
    static Result every(Function function) {
        Result result;
        for (int i = 0; i < lanes; ++i) result.lane[i] = function(i);
        return result;
    }

    static Halves load(const uint16_t* p, int count) {
        return every<Halves>([&](int i) { return i < count ? p[i] : uint16_t(0); });
    }
    static void store(uint16_t* p, Halves h) { std::memcpy(p, h.lane, sizeof h.lane); }
    // Infinities become the largest number, NaN zero.
    static Halves finite(Halves h) {
        return every<Halves>([&](int i) {
            int magnitude = h.lane[i] & 0x7fff, sign = h.lane[i] & 0x8000;
            return uint16_t(magnitude > 0x7c00 ? 0 : magnitude == 0x7c00 ? sign | 0x7bff : h.lane[i]);
        });
    }
    static Halves larger_magnitude(Halves a, Halves b) {
        return every<Halves>([&](int i) {
            uint16_t magnitude = b.lane[i] & 0x7fff;
            return a.lane[i] > magnitude ? a.lane[i] : magnitude;
        });
    }
    static int highest(Halves h) {
        int highest = 0;
        for (int lane : h.lane) highest = lane > highest ? lane : highest;
        return highest;
    }

    // A float16 moved to float32's place is 2^112 too small, and right where it was denormal, too.
    static float widen(uint16_t half) {
        uint32_t sign = uint32_t(half & 0x8000) << 16, magnitude = half & 0x7fff;
        if (magnitude >= 0x7c00) return float_of_bits(sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
        return float_of_bits(sign | bits_of_float(float_of_bits(magnitude << 13) * power_of_two(112)));
    }
    static uint16_t narrow(float value) {
        uint32_t bits = bits_of_float(value), magnitude = bits & 0x7fffffff;
        return uint16_t(bits >> 16 & 0x8000) | narrow_magnitude(magnitude);
    }
    static uint16_t narrow_magnitude(uint32_t magnitude) {
        if (magnitude > 0x7f800000) return uint16_t(0x7e00 | (magnitude >> 13 & 0x1ff));
        if (magnitude >= bits_of_float(65520.0f)) return 0x7c00;
        // Beside 1/2 float32's last place is that of float16's denormals.
        if (magnitude < bits_of_float(power_of_two(-14)))
            return uint16_t(bits_of_float(float_of_bits(magnitude) + 0.5f) - bits_of_float(0.5f));
        uint32_t even = magnitude >> 13 & 1;
        return uint16_t((magnitude - (uint32_t(112) << 23) + 0xfff + even) >> 13);
    }
    static Floats widen(Halves h) {
        return every<Floats>([&](int i) { return widen(h.lane[i]); });
    }
    static Halves narrow(Floats f) {
        return every<Halves>([&](int i) { return narrow(f.lane[i]); });
    }
    static Halves look_up(const uint16_t* table, Halves h) {
        return every<Halves>([&](int i) { return table[h.lane[i]]; });
    }

    static Floats set(float x) {
        return every<Floats>([&](int) { return x; });
    }
    static Floats load(const float* p) {
        return every<Floats>([&](int i) { return p[i]; });
    }
    static Floats add(Floats a, Floats b) {
        return every<Floats>([&](int i) { return a.lane[i] + b.lane[i]; });
    }
    static Floats sub(Floats a, Floats b) {
        return every<Floats>([&](int i) { return a.lane[i] - b.lane[i]; });
    }
    static Floats mul(Floats a, Floats b) {
        return every<Floats>([&](int i) { return a.lane[i] * b.lane[i]; });
    }
    static Floats to_floats(Ints a) {
        return every<Floats>([&](int i) { return float(a.lane[i]); });
    }

    static Ints set(int32_t x) {
        return every<Ints>([&](int) { return x; });
    }
    static Ints add(Ints a, Ints b) {
        return every<Ints>([&](int i) { return a.lane[i] + b.lane[i]; });
    }
    static Ints nearest(Floats f, int highest) {
        return every<Ints>([&](int i) {
            int32_t x = int32_t(std::nearbyint(f.lane[i]));
            return x > highest ? highest : x < -highest ? -highest : x;
        });
    }
    static int32_t sum(Ints a) {
        int32_t sum = 0;
        for (int32_t lane : a.lane) sum += lane;
        return sum;
    }
    static void store_bytes(int8_t* p, Ints a) {
        for (int i = 0; i < lanes; ++i) p[i] = int8_t(a.lane[i]);
    }

    static Weights load(const uint8_t* p) {
        Weights w;
        std::memcpy(w.byte, p, 64);
        return w;
    }
    static Weights bits(Weights w, int mask) {
        for (auto& byte : w.byte) byte &= uint8_t(mask);
        return w;
    }
    // Every byte moved down. What falls out at its lower end may enter the next byte's upper end.
    template <int Bits>
    static Weights right(Weights w) {
        for (auto& byte : w.byte) byte >>= Bits;
        return w;
    }
    static Weights with_bits(Weights a, Weights b, int mask) {
        for (int i = 0; i < 64; ++i) a.byte[i] |= uint8_t(b.byte[i] & mask);
        return a;
    }
    static Four four(const int8_t* p) { return p; }
    static void add_dots(Ints (&sums)[1], const Weights& first, Four x, const Weights& second, Four y) {
        for (int i = 0; i < lanes; ++i)
            for (int k = 0; k < 4; ++k) sums[0].lane[i] += first.byte[4 * i + k] * x[k] + second.byte[4 * i + k] * y[k];
    }
};

#if defined(__AVX2__)
// 16 float16 in one register, and back to memory.
struct HalfRegister {
    typedef __m256i Halves;

    static Halves load(const uint16_t* p, int count) {
        if (count >= lanes) return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
        uint16_t few[lanes] = {};
        std::memcpy(few, p, size_t(count) * 2);
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(few));
    }
    static void store(uint16_t* p, Halves h) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), h); }
    // Infinities become the largest number, NaN zero.
    static Halves finite(Halves h) {
        Halves magnitude = _mm256_and_si256(h, _mm256_set1_epi16(0x7fff)), sign = _mm256_xor_si256(h, magnitude);
        Halves nan = _mm256_cmpgt_epi16(magnitude, _mm256_set1_epi16(0x7c00));
        Halves number = _mm256_min_epu16(magnitude, _mm256_set1_epi16(0x7bff));
        return _mm256_or_si256(sign, _mm256_andnot_si256(nan, number));
    }
    static Halves larger_magnitude(Halves a, Halves b) {
        return _mm256_max_epu16(a, _mm256_and_si256(b, _mm256_set1_epi16(0x7fff)));
    }
    static int highest(Halves h) {
        __m128i eight = _mm_max_epu16(_mm256_castsi256_si128(h), _mm256_extracti128_si256(h, 1));
        return 0xffff - _mm_extract_epi16(_mm_minpos_epu16(_mm_xor_si128(eight, _mm_set1_epi16(-1))), 0);
    }

    // Reads two bytes past the entry: tables carry one entry more.
    static __m256i gather(const uint16_t* table, __m128i index) {
        __m256i wide = _mm256_i32gather_epi32(reinterpret_cast<const int*>(table), _mm256_cvtepu16_epi32(index), 2);
        return _mm256_and_si256(wide, _mm256_set1_epi32(0xffff));
    }
    static Halves look_up(const uint16_t* table, Halves h) {
        __m256i low = gather(table, _mm256_castsi256_si128(h)), high = gather(table, _mm256_extracti128_si256(h, 1));
        return _mm256_permute4x64_epi64(_mm256_packus_epi32(low, high), 0xd8);
    }
};

#if defined(__F16C__)
struct Avx2Blocks : HalfRegister {
    struct Floats {
        __m256 low, high;
    };
    struct Ints {
        __m256i low, high;
    };
    typedef Ints Weights;
    typedef __m256i Four;
    static constexpr int chains = 1, steps_at_once = 1;

    using HalfRegister::load;
    using HalfRegister::store;

    static Floats widen(Halves h) {
        return {_mm256_cvtph_ps(_mm256_castsi256_si128(h)), _mm256_cvtph_ps(_mm256_extracti128_si256(h, 1))};
    }
    static Halves narrow(Floats f) {
        __m128i low = _mm256_cvtps_ph(f.low, _MM_FROUND_TO_NEAREST_INT);
        return _mm256_inserti128_si256(_mm256_castsi128_si256(low), _mm256_cvtps_ph(f.high, _MM_FROUND_TO_NEAREST_INT),
                                       1);
    }

    static Floats set(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
    static Floats load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
    static Floats add(Floats a, Floats b) { return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)}; }
    static Floats sub(Floats a, Floats b) { return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)}; }
    static Floats mul(Floats a, Floats b) { return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)}; }
    static Floats to_floats(Ints a) { return {_mm256_cvtepi32_ps(a.low), _mm256_cvtepi32_ps(a.high)}; }

    static Ints set(int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
    static Ints add(Ints a, Ints b) { return {_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)}; }
    static __m256i within(__m256i x, int highest) {
        return _mm256_max_epi32(_mm256_min_epi32(x, _mm256_set1_epi32(highest)), _mm256_set1_epi32(-highest));
    }
    static Ints nearest(Floats f, int highest) {
        return {within(_mm256_cvtps_epi32(f.low), highest), within(_mm256_cvtps_epi32(f.high), highest)};
    }
    static int32_t sum(Ints a) {
        int32_t eight[8], sum = 0;
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(eight), _mm256_add_epi32(a.low, a.high));
        for (int32_t lane : eight) sum += lane;
        return sum;
    }
    static void store_bytes(int8_t* p, Ints a) {
        __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(a.low, a.high), 0xd8);
        __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
    }

    static Weights load(const uint8_t* p) {
        const auto* two = reinterpret_cast<const __m256i*>(p);
        return {_mm256_loadu_si256(two), _mm256_loadu_si256(two + 1)};
    }
    static Weights bits(Weights w, int mask) {
        const __m256i wide = _mm256_set1_epi8(char(mask));
        return {_mm256_and_si256(w.low, wide), _mm256_and_si256(w.high, wide)};
    }
    template <int Bits>
    static Weights right(Weights w) {
        return {_mm256_srli_epi16(w.low, Bits), _mm256_srli_epi16(w.high, Bits)};
    }
    static Weights with_bits(Weights a, Weights b, int mask) {
        b = bits(b, mask);
        return {_mm256_or_si256(a.low, b.low), _mm256_or_si256(a.high, b.high)};
    }
    static Four four(const int8_t* p) {
        int32_t bytes;
        std::memcpy(&bytes, p, 4);
        return _mm256_set1_epi32(bytes);
    }
    // Sums of four products stay below 4 * 63 * 31, so 16 bits hold them.
    static __m256i add_eight(__m256i sum, __m256i first, Four x, __m256i second, Four y) {
        __m256i fours = _mm256_add_epi16(_mm256_maddubs_epi16(first, x), _mm256_maddubs_epi16(second, y));
        return _mm256_add_epi32(sum, _mm256_madd_epi16(fours, _mm256_set1_epi16(1)));
    }
    static void add_dots(Ints (&sums)[1], const Weights& first, Four x, const Weights& second, Four y) {
        sums[0] = {add_eight(sums[0].low, first.low, x, second.low, y),
                   add_eight(sums[0].high, first.high, x, second.high, y)};
    }
};
#endif
#endif

#if defined(__AVX512VNNI__)
struct Avx512Blocks : HalfRegister {
    typedef __m512 Floats;
    typedef __m512i Ints;
    typedef __m512i Weights;
    typedef __m512i Four;
    static constexpr int chains = 2, steps_at_once = 4;

    using HalfRegister::store;

    static Halves load(const uint16_t* p, int count) {
        return count >= lanes ? HalfRegister::load(p, count) : _mm256_maskz_loadu_epi16(__mmask16((1 << count) - 1), p);
    }
    static Floats widen(Halves h) { return _mm512_cvtph_ps(h); }
    static Halves narrow(Floats f) { return _mm512_cvtps_ph(f, _MM_FROUND_TO_NEAREST_INT); }

    static Floats set(float x) { return _mm512_set1_ps(x); }
    static Floats load(const float* p) { return _mm512_loadu_ps(p); }
    static Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
    static Floats sub(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
    static Floats mul(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
    static Floats to_floats(Ints a) { return _mm512_cvtepi32_ps(a); }

    static Ints set(int32_t x) { return _mm512_set1_epi32(x); }
    static Ints add(Ints a, Ints b) { return _mm512_add_epi32(a, b); }
    static Ints nearest(Floats f, int highest) {
        Ints x = _mm512_min_epi32(_mm512_cvtps_epi32(f), set(highest));
        return _mm512_max_epi32(x, set(-highest));
    }
    static int32_t sum(Ints a) { return _mm512_reduce_add_epi32(a); }
    static void store_bytes(int8_t* p, Ints a) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a));
    }

    static Weights load(const uint8_t* p) { return _mm512_loadu_si512(p); }
    static Weights bits(Weights w, int mask) { return _mm512_and_si512(w, _mm512_set1_epi8(char(mask))); }
    template <int Bits>
    static Weights right(Weights w) {
        return _mm512_srli_epi16(w, Bits);
    }
    static Weights with_bits(Weights a, Weights b, int mask) {
        return _mm512_ternarylogic_epi32(a, b, _mm512_set1_epi8(char(mask)), 0xf8);  // a | (b & mask)
    }
    static Four four(const int8_t* p) {
        int32_t bytes;
        std::memcpy(&bytes, p, 4);
        return _mm512_set1_epi32(bytes);
    }
    static Ints dot(Ints sum, Weights w, Four x) {
#if defined(__GNUC__) && !defined(__clang__)
        // g++ 12 copies every sum twice around the intrinsic, which costs a third of the speed.
        asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(w), "v"(x));
        return sum;
#else
        return _mm512_dpbusd_epi32(sum, w, x);
#endif
    }
    template <int Chains>
    static void add_dots(Ints (&sums)[Chains], Weights first, Four x, Weights second, Four y) {
        sums[0] = dot(sums[0], first, x);
        sums[Chains - 1] = dot(sums[Chains - 1], second, y);
    }
};
#endif

}  // namespace
