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
using UnitArrays = std::tuple<Input, Input, Output, Cycles>;                        // occupancy, latency, start, free
using WaitArrays = std::tuple<std::size_t, std::size_t, int, Input, Input, Input>;   // unit, on, link, task, after, lag

enum Link { from_start, from_release, from_result };

struct Wait {
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
    std::vector<std::size_t> waits = {};
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

    void add(const WaitArrays &arrays) {
        const auto &[unit, on, link, task, after, lag] = arrays;
        if (unit >= units_.size() || on >= units_.size()) throw std::invalid_argument("a wait names a unit that does not exist");
        if (after.size() != task.size() || lag.size() != task.size())
            throw std::invalid_argument("the arrays of a wait must be of one length");
        units_[unit].waits.push_back(waits_.size());
        waits_.push_back({on, link, task.data(), after.data(), lag.data(), task.size()});
    }

    // Cycles that each wait kept its unit waiting.
    std::vector<Cycles> solve() {
        for (Unit &unit : units_)
            if (unit.done < unit.size) advance(unit, unit.size - 1);
        std::vector<Cycles> stalls;
        for (const Wait &wait : waits_) {
            if (wait.next != wait.size) throw std::invalid_argument("the tasks of a wait must ascend and exist");
            stalls.push_back(wait.stall);
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
        Wait *bound = nullptr;
        for (const std::size_t index : unit.waits) {
            Wait &wait = waits_[index];
            for (; wait.next < wait.size && wait.task[wait.next] == Cycles(unit.done); ++wait.next) {
                const Cycles earliest = ready(wait);
                if (earliest <= start) continue;
                start = earliest;
                bound = &wait;
            }
        }
        if (bound) bound->stall += start - unit.free;
        unit.start[unit.done] = start;
        unit.free = start + unit.occupancy[unit.done];
        ++unit.done;
    }

    Cycles ready(const Wait &wait) {
        const Cycles after = wait.after[wait.next], lag = wait.lag[wait.next];
        if (after < 0) return begin_ + lag;
        Unit &on = units_[wait.on];
        if (std::size_t(after) >= on.done) advance(on, std::size_t(after));
        const Cycles start = on.start[after];
        if (wait.link == from_release) return start + on.occupancy[after] + lag;
        if (wait.link == from_result) return start + on.latency[after] + lag;
        return start + lag;
    }

    Cycles begin_;
    std::vector<Unit> units_;
    std::vector<Wait> waits_;
};

std::vector<Cycles> solve(const std::vector<UnitArrays> &units, const std::vector<WaitArrays> &waits, Cycles begin) {
    Engine engine(begin);
    for (const UnitArrays &unit : units) engine.add(unit);
    for (const WaitArrays &wait : waits) engine.add(wait);
    return engine.solve();
}

}  // namespace

void bind_timeline(nb::module_ &m) {
    m.def("solve_timeline", &solve, nb::arg("units"), nb::arg("waits"), nb::arg("begin"),
          "units: (occupancy, latency, start, free) each, int64 [tasks]; waits: (unit, on, link, task, after, lag) each.\n\n"
          "Fills every start; returns the cycles that each wait kept its unit waiting.");
}
