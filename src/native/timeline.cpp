// The timeline engine: when every task starts, on units that take their tasks in program order.
//
// A unit is a cursor through its own program. To start a task, every task it waits for must have started; if one has not, its
// unit is advanced first. A unit that is already being advanced, further down the stack, would wait for itself: a cycle.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <stdexcept>
#include <tuple>
#include <vector>

namespace nb = nanobind;

namespace {

using Cycles = std::int64_t;
using Input = nb::ndarray<const Cycles, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Output = nb::ndarray<Cycles, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using UnitArrays = std::tuple<Input, Input, Output, Cycles>;                             // occupancy, latency, start, free
using RelationArrays = std::tuple<std::size_t, std::size_t, int, Input, Input, Input>;   // unit, on, link, task, after, lag

enum Link { from_start, from_release, from_result };

struct Relation {
    std::size_t on;
    int link;
    const Cycles *task, *after, *lag;
    std::size_t size;
    std::size_t next = 0;
    Cycles stall = 0;
};

struct Unit {
    const Cycles *occupancy, *latency;
    Cycles *start;
    std::size_t size;
    Cycles free;
    std::size_t done = 0;
    bool advancing = false;
    std::vector<std::size_t> relations = {};
};

class Engine {
public:
    explicit Engine(Cycles begin) : begin_(begin) {}

    void add(const UnitArrays &arrays) {
        const auto &[occupancy, latency, start, free] = arrays;
        if (latency.size() != occupancy.size() || start.size() != occupancy.size())
            throw std::invalid_argument("the arrays of a unit must be of one length");
        units_.push_back({occupancy.data(), latency.data(), start.data(), occupancy.size(), free});
    }

    void add(const RelationArrays &arrays) {
        const auto &[unit, on, link, task, after, lag] = arrays;
        if (unit >= units_.size() || on >= units_.size()) throw std::invalid_argument("a relation names a unit that does not exist");
        if (after.size() != task.size() || lag.size() != task.size())
            throw std::invalid_argument("the arrays of a relation must be of one length");
        units_[unit].relations.push_back(relations_.size());
        relations_.push_back({on, link, task.data(), after.data(), lag.data(), task.size()});
    }

    // Cycles that each relation kept its unit waiting.
    std::vector<Cycles> solve() {
        for (Unit &unit : units_)
            if (unit.done < unit.size) advance(unit, unit.size - 1);
        std::vector<Cycles> stalls;
        for (const Relation &relation : relations_) {
            if (relation.next != relation.size) throw std::invalid_argument("the tasks of a relation must ascend and exist");
            stalls.push_back(relation.stall);
        }
        return stalls;
    }

private:
    void advance(Unit &unit, std::size_t last) {
        if (last >= unit.size) throw std::invalid_argument("a task waits for a task that does not exist");
        if (unit.advancing) throw std::invalid_argument("tasks wait for each other in a cycle");
        unit.advancing = true;
        while (unit.done <= last) take(unit);
        unit.advancing = false;
    }

    void take(Unit &unit) {
        Cycles start = unit.free;
        Relation *bound = nullptr;
        for (const std::size_t index : unit.relations) {
            Relation &relation = relations_[index];
            for (; relation.next < relation.size && relation.task[relation.next] == Cycles(unit.done); ++relation.next) {
                const Cycles earliest = ready(relation);
                if (earliest <= start) continue;
                start = earliest;
                bound = &relation;
            }
        }
        if (bound) bound->stall += start - unit.free;
        unit.start[unit.done] = start;
        unit.free = start + unit.occupancy[unit.done];
        ++unit.done;
    }

    Cycles ready(const Relation &relation) {
        const Cycles after = relation.after[relation.next], lag = relation.lag[relation.next];
        if (after < 0) return begin_ + lag;
        Unit &on = units_[relation.on];
        if (std::size_t(after) >= on.done) advance(on, std::size_t(after));
        const Cycles start = on.start[after];
        if (relation.link == from_release) return start + on.occupancy[after] + lag;
        if (relation.link == from_result) return start + on.latency[after] + lag;
        return start + lag;
    }

    Cycles begin_;
    std::vector<Unit> units_;
    std::vector<Relation> relations_;
};

std::vector<Cycles> solve(const std::vector<UnitArrays> &units, const std::vector<RelationArrays> &relations, Cycles begin) {
    Engine engine(begin);
    for (const UnitArrays &unit : units) engine.add(unit);
    for (const RelationArrays &relation : relations) engine.add(relation);
    return engine.solve();
}

}  // namespace

void bind_timeline(nb::module_ &m) {
    m.def("solve_timeline", &solve, nb::arg("units"), nb::arg("relations"), nb::arg("begin"),
          "units: (occupancy, latency, start, free) each, int64 [tasks]; relations: (unit, on, link, task, after, lag) each.\n\n"
          "Fills every start; returns the cycles that each relation kept its unit waiting.");
}
