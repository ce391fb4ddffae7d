#include "cubics.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace deltawave {

namespace {

constexpr int terms = 4, references = terms + 1, most_exchanges = 60;

// The values of one piece at t = 0, 1, ...; the polynomial nearest to them by largest distance is found by exchange
// (Remez): it alternates with one distance around five reference points.
class Piece {
public:
    Piece(const int16_t* values, int count) : values(values), count(count) {
        for (int k = 0; k < references; ++k)
            points[size_t(k)] = int(std::lround((count - 1) * (1 - std::cos(M_PI * k / (references - 1))) / 2));
    }

    std::array<double, terms> nearest() {
        for (int i = 0; i < most_exchanges; ++i) {
            level_at_points();
            int worst = farthest();
            if (std::abs(distance(worst)) <= std::abs(level) + 1e-9) break;
            exchange(worst);
        }
        return coefficients;
    }

private:
    double distance(int t) const {
        double x = scaled(t), sum = 0;
        for (int k = terms - 1; k >= 0; --k) sum = sum * x + coefficients[size_t(k)];
        return values[t] - sum;
    }

    double scaled(int t) const { return double(t) / count; }

    int farthest() const {
        int worst = 0;
        for (int t = 1; t < count; ++t)
            if (std::abs(distance(t)) > std::abs(distance(worst))) worst = t;
        return worst;
    }

    // Solves sum c_k x^k + (-1)^p level = value at the five points, by elimination.
    void level_at_points() {
        double rows[references][references + 1];
        for (int p = 0; p < references; ++p) {
            double power = 1;
            for (int k = 0; k < terms; ++k, power *= scaled(points[size_t(p)])) rows[p][k] = power;
            rows[p][terms] = p % 2 ? -1 : 1;
            rows[p][references] = values[points[size_t(p)]];
        }
        eliminate(rows);
        for (int k = 0; k < terms; ++k) coefficients[size_t(k)] = rows[k][references] / rows[k][k];
        level = rows[terms][references] / rows[terms][terms];
    }

    static void eliminate(double (&rows)[references][references + 1]) {
        for (int pivot = 0; pivot < references; ++pivot) {
            int best = pivot;
            for (int r = pivot; r < references; ++r)
                if (std::abs(rows[r][pivot]) > std::abs(rows[best][pivot])) best = r;
            std::swap(rows[pivot], rows[best]);
            for (int r = 0; r < references; ++r) {
                if (r == pivot) continue;
                double factor = rows[r][pivot] / rows[pivot][pivot];
                for (int k = pivot; k <= references; ++k) rows[r][k] -= factor * rows[pivot][k];
            }
        }
    }

    // The new point takes the place of a neighbour on the same side; the sides keep alternating.
    void exchange(int t) {
        bool above = distance(t) > 0;
        auto same_side = [&](int p) { return (distance(points[size_t(p)]) > 0) == above; };
        int after = int(std::lower_bound(points.begin(), points.end(), t) - points.begin());
        if (after == 0 && !same_side(0)) {
            std::rotate(points.begin(), points.end() - 1, points.end());
            points[0] = t;
        } else if (after == references && !same_side(references - 1)) {
            std::rotate(points.begin(), points.begin() + 1, points.end());
            points[references - 1] = t;
        } else {
            int place = after < references && same_side(after) ? after : std::max(after - 1, 0);
            points[size_t(place)] = t;
        }
    }

    const int16_t* values;
    int count;
    std::array<int, references> points;
    std::array<double, terms> coefficients{};
    double level = 0;
};

}  // namespace

Cubics fit_cubics(const Table& table) {
    Cubics cubics{};
    int entries = table.last - table.first + 1;
    for (cubics.bits = 3; entries > cubic_pieces << cubics.bits;) ++cubics.bits;
    int length = 1 << cubics.bits;
    for (int piece = 0; piece << cubics.bits < entries; ++piece) {
        std::vector<int16_t> values(size_t(length), table.values[entries - 1]);
        int first = piece << cubics.bits;
        std::copy(table.values + first, table.values + std::min(first + length, entries), values.begin());
        auto nearest = Piece(values.data(), length).nearest();
        for (int k = 0; k < terms; ++k) cubics.terms[k][piece] = float(nearest[size_t(k)] / std::pow(length, k));
    }
    return cubics;
}

bool reproduces(const Kernels& kernels, const Table& table) {
    for (int32_t x = table.first; x <= table.last; x += look_up_count) {
        int32_t inputs[look_up_count], found[look_up_count];
        for (int i = 0; i < look_up_count; ++i) inputs[i] = std::min(x + i, table.last);
        kernels.look_up(table, inputs, found);
        for (int i = 0; i < look_up_count; ++i)
            if (found[i] != table.values[inputs[i] - table.first]) return false;
    }
    return true;
}

}  // namespace deltawave
