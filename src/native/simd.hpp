// A thin layer over the vector instructions: the few operations the kernels need, for portable C++, AVX2 and AVX-512.
//
// A vector holds `bytes` bytes, seen as 32-bit lanes (`count` of them) or as pairs of 16-bit words. Every operation is
// exact modulo 2^32, so all three give the same bits. Each is only defined where the compiler may use its instructions.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels.hpp"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace {

// Bits to bytes of 0 or 1, and the chosen lanes of a vector side by side: lane after lane, for want of an instruction.
template <class V>
struct LaneByLane {
    static void store_flags(uint8_t* p, uint32_t mask, int count) {
        for (int i = 0; i < count; ++i) p[i] = mask >> i & 1;
    }
    template <class Vector>
    static void compress(uint32_t mask, Vector difference, int32_t first, int32_t* columns, int16_t* moves) {
        int32_t lanes[V::count];
        V::store(lanes, difference);
        for (; mask; mask &= mask - 1) {
            int i = __builtin_ctz(mask);
            *columns++ = first + i;
            *moves++ = int16_t(lanes[i]);
        }
    }
    template <class Vector>
    static Vector select(uint32_t mask, Vector yes, Vector no) {
        int32_t chosen[V::count], others[V::count];
        V::store(chosen, yes);
        V::store(others, no);
        for (int i = 0; i < V::count; ++i)
            if (!(mask >> i & 1)) chosen[i] = others[i];
        return V::load(chosen);
    }
};

// GCC and clang turn these small vectors into whatever the target has (SSE2, NEON, ...).
struct Portable : LaneByLane<Portable> {
    typedef uint32_t Vector __attribute__((vector_size(16)));
    typedef int32_t Signed __attribute__((vector_size(16)));
    typedef int16_t Words __attribute__((vector_size(16)));
    static constexpr int bytes = 16, count = 4, blocks_at_once = 1;
    static constexpr bool has_cubics = false;

    static Vector load(const void* p) {
        Vector v;
        std::memcpy(&v, p, 16);
        return v;
    }
    static void store(void* p, Vector v) { std::memcpy(p, &v, 16); }
    static Vector set(int32_t x) { return Vector{} + uint32_t(x); }
    static Vector add(Vector a, Vector b) { return a + b; }
    static Vector sub(Vector a, Vector b) { return a - b; }
    static Vector multiply(Vector a, Vector b) { return a * b; }
    static Vector bits_and(Vector a, Vector b) { return a & b; }
    static Vector shift_left(Vector a, int n) { return a << uint32_t(n); }
    static Vector shift_right(Vector a, int n) { return Vector(Signed(a) >> n); }
    static Vector min(Vector a, Vector b) { return Signed(a) < Signed(b) ? a : b; }
    static Vector max(Vector a, Vector b) { return Signed(a) > Signed(b) ? a : b; }
    static Vector high_bytes(Vector a) { return Vector(Words(a) >> 8); }
    static Vector pair_low(Vector a, Vector b) {
        return Vector(__builtin_shufflevector(Words(a), Words(b), 0, 8, 1, 9, 2, 10, 3, 11));
    }
    static Vector pair_high(Vector a, Vector b) {
        return Vector(__builtin_shufflevector(Words(a), Words(b), 4, 12, 5, 13, 6, 14, 7, 15));
    }
    static Vector dot(Vector sum, Vector a, Vector b) {
        Signed low = Signed(a << 16) >> 16, high = Signed(a) >> 16;
        Signed low_b = Signed(b << 16) >> 16, high_b = Signed(b) >> 16;
        return sum + Vector(low) * Vector(low_b) + Vector(high) * Vector(high_b);
    }
    static Vector load_words(const int16_t* p) { return Vector(Signed{p[0], p[1], p[2], p[3]}); }
    static void store_words(int16_t* p, Vector v) {
        for (int i = 0; i < count; ++i) p[i] = int16_t(v[i]);
    }
    static Vector look_up(const int16_t* table, Vector index) {
        return Vector(Signed{table[index[0]], table[index[1]], table[index[2]], table[index[3]]});
    }
    // which |difference| >= least, as bits
    static uint32_t reaching(Vector difference, int32_t least) {
        uint32_t mask = 0;
        for (int i = 0; i < count; ++i) {
            int32_t d = int32_t(difference[i]);
            mask |= uint32_t(d >= least || -d >= least) << i;
        }
        return mask;
    }
};

#if defined(__AVX2__)
struct Avx2 : LaneByLane<Avx2> {
    typedef __m256i Vector;
    static constexpr int bytes = 32, count = 8, blocks_at_once = 1;
    static constexpr bool has_cubics = false;

    static Vector load(const void* p) { return _mm256_loadu_si256(static_cast<const Vector*>(p)); }
    static void store(void* p, Vector v) { _mm256_storeu_si256(static_cast<Vector*>(p), v); }
    static Vector set(int32_t x) { return _mm256_set1_epi32(x); }
    static Vector add(Vector a, Vector b) { return _mm256_add_epi32(a, b); }
    static Vector sub(Vector a, Vector b) { return _mm256_sub_epi32(a, b); }
    static Vector multiply(Vector a, Vector b) { return _mm256_mullo_epi32(a, b); }
    static Vector bits_and(Vector a, Vector b) { return _mm256_and_si256(a, b); }
    static Vector shift_left(Vector a, int n) { return _mm256_sll_epi32(a, _mm_cvtsi32_si128(n)); }
    static Vector shift_right(Vector a, int n) { return _mm256_sra_epi32(a, _mm_cvtsi32_si128(n)); }
    static Vector min(Vector a, Vector b) { return _mm256_min_epi32(a, b); }
    static Vector max(Vector a, Vector b) { return _mm256_max_epi32(a, b); }
    static Vector high_bytes(Vector a) { return _mm256_srai_epi16(a, 8); }
    static Vector pair_low(Vector a, Vector b) { return _mm256_unpacklo_epi16(a, b); }
    static Vector pair_high(Vector a, Vector b) { return _mm256_unpackhi_epi16(a, b); }
    static Vector dot(Vector sum, Vector a, Vector b) { return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b)); }
    static Vector load_words(const int16_t* p) {
        return _mm256_cvtepi16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    }
    static void store_words(int16_t* p, Vector v) {
        const __m256i low = _mm256_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, -1, -1, -1, -1, -1, -1, -1, -1, 0, 1, 4, 5, 8, 9,
                                             12, 13, -1, -1, -1, -1, -1, -1, -1, -1);
        __m256i words = _mm256_permute4x64_epi64(_mm256_shuffle_epi8(v, low), 0x08);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(words));
    }
    // Reads two bytes past the entry: tables carry one entry more.
    static Vector look_up(const int16_t* table, Vector index) {
        Vector wide = _mm256_i32gather_epi32(reinterpret_cast<const int*>(table), index, 2);
        return _mm256_srai_epi32(_mm256_slli_epi32(wide, 16), 16);
    }
    static uint32_t reaching(Vector difference, int32_t least) {
        Vector reach = _mm256_cmpgt_epi32(_mm256_abs_epi32(difference), _mm256_set1_epi32(least - 1));
        return uint32_t(_mm256_movemask_ps(_mm256_castsi256_ps(reach)));
    }
    static Vector select(uint32_t mask, Vector yes, Vector no) {
        const Vector bits = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
        Vector chosen = _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(int32_t(mask)), bits), bits);
        return _mm256_blendv_epi8(no, yes, chosen);
    }
};
#endif

#if defined(__AVX512VNNI__)
struct Avx512 {
    typedef __m512i Vector;
    static constexpr int bytes = 64, count = 16, blocks_at_once = 4;
    static constexpr bool has_cubics = true;

    static Vector load(const void* p) { return _mm512_loadu_si512(p); }
    static void store(void* p, Vector v) { _mm512_storeu_si512(p, v); }
    static Vector set(int32_t x) { return _mm512_set1_epi32(x); }
    static Vector add(Vector a, Vector b) { return _mm512_add_epi32(a, b); }
    static Vector sub(Vector a, Vector b) { return _mm512_sub_epi32(a, b); }
    static Vector multiply(Vector a, Vector b) { return _mm512_mullo_epi32(a, b); }
    static Vector bits_and(Vector a, Vector b) { return _mm512_and_si512(a, b); }
    static Vector shift_left(Vector a, int n) { return _mm512_sll_epi32(a, _mm_cvtsi32_si128(n)); }
    static Vector shift_right(Vector a, int n) { return _mm512_sra_epi32(a, _mm_cvtsi32_si128(n)); }
    static Vector min(Vector a, Vector b) { return _mm512_min_epi32(a, b); }
    static Vector max(Vector a, Vector b) { return _mm512_max_epi32(a, b); }
    static Vector high_bytes(Vector a) { return _mm512_srai_epi16(a, 8); }
    static Vector pair_low(Vector a, Vector b) { return _mm512_unpacklo_epi16(a, b); }
    static Vector pair_high(Vector a, Vector b) { return _mm512_unpackhi_epi16(a, b); }
    static Vector dot(Vector sum, Vector a, Vector b) {
#if defined(__GNUC__) && !defined(__clang__)
        // g++ 12 copies every sum twice around the intrinsic, which costs a third of the speed.
        asm("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
        return sum;
#else
        return _mm512_dpwssd_epi32(sum, a, b);
#endif
    }
    static Vector load_words(const int16_t* p) {
        return _mm512_cvtepi16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    }
    static void store_words(int16_t* p, Vector v) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(v));
    }
    // Reads two bytes past the entry: tables carry one entry more.
    static Vector look_up(const int16_t* table, Vector index) {
        Vector wide = _mm512_i32gather_epi32(index, table, 2);
        return _mm512_srai_epi32(_mm512_slli_epi32(wide, 16), 16);
    }
    static Vector cubic(const deltawave::Cubics& cubics, Vector entry) {
        Vector piece = _mm512_srl_epi32(entry, _mm_cvtsi32_si128(cubics.bits));
        __m512 t = _mm512_cvtepi32_ps(_mm512_sub_epi32(entry, shift_left(piece, cubics.bits)));
        auto term = [&](int k) {
            const float* terms = cubics.terms[k];
            return _mm512_permutex2var_ps(_mm512_loadu_ps(terms), piece, _mm512_loadu_ps(terms + 16));
        };
        __m512 sum = _mm512_fmadd_ps(_mm512_fmadd_ps(_mm512_fmadd_ps(term(3), t, term(2)), t, term(1)), t, term(0));
        return _mm512_cvtps_epi32(sum);
    }
    static uint32_t reaching(Vector difference, int32_t least) {
        return _mm512_cmpge_epi32_mask(_mm512_abs_epi32(difference), _mm512_set1_epi32(least));
    }
    static Vector select(uint32_t mask, Vector yes, Vector no) {
        return _mm512_mask_mov_epi32(no, __mmask16(mask), yes);
    }
    static void store_flags(uint8_t* p, uint32_t mask, int count) {
        _mm_mask_storeu_epi8(p, __mmask16((1u << count) - 1), _mm_maskz_set1_epi8(__mmask16(mask), 1));
    }
    static void compress(uint32_t mask, Vector difference, int32_t first, int32_t* columns, int16_t* moves) {
        const Vector lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        Vector numbers = _mm512_maskz_compress_epi32(__mmask16(mask), _mm512_add_epi32(lanes, set(first)));
        store(columns, numbers);
        store_words(moves, _mm512_maskz_compress_epi32(__mmask16(mask), difference));
    }
};
#endif

}  // namespace
