// What moved: values compared with those last sent.
#pragma once

#include "kernels.hpp"
#include "products.inc.hpp"

namespace {

using namespace deltawave;

// A move of 17 bits travels in pieces of 16.
inline void send_in_pieces(Sends& sends, int column, int32_t move) {
    while (move != 0) {
        int32_t piece = move > 32767 ? 32767 : move < -32768 ? -32768 : move;
        sends.columns[sends.count] = column;
        sends.moves[sends.count++] = int16_t(piece);
        move -= piece;
    }
}

template <class V>
void send(Sends& sends, uint32_t mask, typename V::Vector differences, int first) {
    if (!(V::reaching(differences, 32768) & mask)) {
        V::compress(mask, differences, first, sends.columns + sends.count, sends.moves + sends.count);
        sends.count += __builtin_popcount(mask);
        return;
    }
    int32_t moves[V::count];
    V::store(moves, differences);
    for (; mask; mask &= mask - 1) send_in_pieces(sends, first + __builtin_ctz(mask), moves[__builtin_ctz(mask)]);
}

template <class V>
void detect(const Moving& values, int first, int last, Sends& sends) {
    const int32_t least = values.theta > 1 ? values.theta : 1;
    auto total = V::set(0);
    for (int i = first; i < last; i += V::count) {
        auto now = V::load_words(values.now + i), before = V::load_words(values.sent + i);
        auto differences = V::sub(now, before);
        int count = last - i < V::count ? last - i : V::count;
        uint32_t mask = V::reaching(differences, least) & ((1u << count) - 1);
        if (values.flags) V::store_flags(values.flags + i, mask, count);
        if (!mask) continue;
        V::store_words(values.sent + i, V::select(mask, now, before));
        total = V::add(total, V::select(mask, differences, V::set(0)));
        sends.sent += __builtin_popcount(mask);
        send<V>(sends, mask, differences, i);
    }
    sends.sum = sum_of_lanes<V>(total);
}

}  // namespace
