// Runs a verilated core cycle by cycle: offers beats to its input streams, takes those of its output streams, and
// answers its requests for columns at a memory's pace. core.h, generated, names the core's streams.
//
// In a cycle, what is offered is set first, then the core settles, then the handshakes are looked at, then the clock
// rises. A beat, once offered, stays until it is taken; the core must do the same.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif
#include "core.h"

#define EXPORTED extern "C" __attribute__((visibility("default")))

// Verilator's ways to end the process.
void vl_fatal(const char*, int, const char*, const char* message) { throw std::runtime_error(message); }
void vl_stop(const char*, int, const char*) { throw std::runtime_error("an assertion of the design failed"); }

namespace {

template <class Port>
constexpr size_t words_of() {
    return (sizeof(Port) + 3) / 4;
}

struct Stalls {
    const uint8_t* pattern = nullptr;
    int64_t period = 0;
    bool at(int64_t cycle) const { return period && pattern[cycle % period]; }
};

class Source {
public:
    const uint32_t* beats = nullptr;  // the next one first
    int64_t left = 0;
    int64_t sent = 0;
    bool offered = false;
    Stalls stalls;

    template <class... Payload>
    void offer(int64_t cycle, CData& valid, Payload&... payload) {
        if (!offered && left && !stalls.at(cycle)) {
            const uint32_t* word = beats;
            ((std::memcpy(&payload, word, sizeof(payload)), word += words_of<Payload>()), ...);
            offered = true;
        }
        valid = offered;
    }

    template <class... Payload>
    void settle(bool ready, const Payload&...) {
        if (!offered || !ready) return;
        beats += (words_of<Payload>() + ... + 0);
        --left, ++sent;
        offered = false;
    }
};

class Sink {
public:
    const char* name = "";
    int64_t wanted = 0;  // beats of a run
    int64_t most = 0;    // beats it is ready for
    int64_t taken = 0;
    bool valid = false;
    Stalls stalls;
    std::vector<uint32_t> beats;
    std::vector<int64_t> cycles;

    bool accepts(int64_t cycle) const { return taken < most && !stalls.at(cycle); }

    // Whether a beat was taken.
    template <class... Payload>
    bool settle(int64_t cycle, bool valid_now, bool ready, const Payload&... payload) {
        if (held && !valid_now) broken("takes back a beat: valid falls before ready");
        valid = valid_now;
        if (!valid) return false;
        uint32_t beat[(words_of<Payload>() + ... + 1)] = {};
        uint32_t* word = beat;
        ((std::memcpy(word, &payload, sizeof(payload)), word += words_of<Payload>()), ...);
        if (held && std::memcmp(beat, shown.data(), sizeof(beat)) != 0)
            broken("changes a beat that waits: other data before ready");
        held = !ready;
        if (held) shown.assign(beat, std::end(beat));
        if (held) return false;
        valid = false;
        beats.insert(beats.end(), beat, word);
        cycles.push_back(cycle);
        ++taken;
        return true;
    }

    void begin(int64_t wanted_beats, int64_t most_beats) {
        wanted = wanted_beats, most = most_beats;
        taken = 0;
        beats.clear(), cycles.clear();
    }

    void reset() { held = valid = false; }

private:
    bool held = false;
    std::vector<uint32_t> shown;

    [[noreturn]] void broken(const char* how) const { throw std::runtime_error(std::string(name) + " " + how); }
};

// Columns of words, sent in the order of their requests. The data of a request of cycle q is there from cycle
// q + latency on; a column's first word is offered from its start on, the i-th i cycles later at the earliest, its last
// not before its last cycle. The next column starts when this one's cycles are over.
class Memory {
public:
    const uint32_t* words = nullptr;
    const int64_t* first = nullptr;   // word of each column, and the end
    const int64_t* cycles = nullptr;  // of each column
    int64_t columns = 0;
    int64_t latency = 1;

    void request(int64_t column, int64_t cycle) {
        if (column >= columns)
            throw std::runtime_error("it asks for column " + std::to_string(column) + " of " + std::to_string(columns));
        requests.push_back({column, cycle + latency});
    }

    // Hands the next word to the source, if it is due and the source has none.
    void feed(Source& source, int64_t cycle, size_t words_a_beat) {
        if (source.left || oldest == requests.size()) return;
        const Request& request = requests[oldest];
        if (word == 0) start = std::max(request.available, free);
        const int64_t count = first[request.column + 1] - first[request.column];
        const bool last = word == count - 1;
        if (cycle < start + (last ? std::max(cycles[request.column] - 1, word) : word)) return;
        source.beats = words + (first[request.column] + word) * words_a_beat;
        source.left = 1;
        ++word;
        if (!last) return;
        free = start + cycles[request.column];
        word = 0;
        if (++oldest == requests.size()) requests.clear(), oldest = 0;
    }

    void reset() { requests.clear(), oldest = 0, word = 0, free = 0; }

private:
    struct Request {
        int64_t column, available;
    };
    std::vector<Request> requests;
    size_t oldest = 0;
    int64_t word = 0, start = 0, free = 0;
};

class Simulation {
public:
    Source sources[source_count + 1];
    Sink sinks[sink_count + 1];
    Memory memory;
    int requests = -1, answers = -1;  // the sink and the source of the memory
    int64_t run_cycle = 0;
    std::string error;

    explicit Simulation(const char* waves) : core(&context) {
        for (int i = 0; i < sink_count; ++i) sinks[i].name = sink_names[i];
#if VM_TRACE
        context.traceEverOn(true);
        core.trace(&dump, 99);
        dump.open(waves);
#endif
    }

    ~Simulation() {
        core.final();
#if VM_TRACE
        dump.close();
#endif
    }

    void reset(int64_t cycles) {
        for (Source& source : sources) source = Source();
        for (Sink& sink : sinks) sink.begin(0, 0), sink.reset();
        memory.reset();
        set_rst(core, true);
        drive();
        for (int64_t i = 0; i < cycles; ++i) settle(), rise();
        set_rst(core, false);
    }

    bool done() const {
        for (int i = 0; i < source_count; ++i)
            if (sources[i].left && i != answers) return false;
        for (const Sink& sink : sinks)
            if (sink.taken < sink.wanted) return false;
        return true;
    }

    void cycle() {
        if (answers >= 0) feed();
        drive();
        settle();
        take(true);
        if (memory.latency == 0 && answers >= 0 && !sources[answers].offered) answer_at_once();
        take(false);
        each_source(core, [&](int i, CData&, const CData& ready, const auto&... payload) {
            sources[i].settle(ready, payload...);
        });
        rise();
        ++run_cycle;
    }

private:
    VerilatedContext context;
    Vcore core;
    int64_t now = 0;
#if VM_TRACE
    VerilatedVcdC dump;
#endif

    void drive() {
        each_source(core, [&](int i, CData& valid, const CData&, auto&... payload) {
            sources[i].offer(run_cycle, valid, payload...);
        });
        each_sink(core,
                  [&](int i, const CData&, CData& ready, const auto&...) { ready = sinks[i].accepts(run_cycle); });
    }

    void settle() {
        set_clk(core, false);
        core.eval();
    }

    void rise() {
        show(2 * now);
        set_clk(core, true);
        core.eval();
        show(2 * now + 1);
        ++now;
    }

    void show([[maybe_unused]] uint64_t half_cycle) {
#if VM_TRACE
        dump.dump(half_cycle);
#endif
    }

    void take(bool of_requests) {
        each_sink(core, [&](int i, const CData& valid, const CData& ready, const auto&... payload) {
            if ((i == requests) != of_requests) return;
            const bool taken = sinks[i].settle(run_cycle, valid, ready, payload...);
            if (taken && i == requests) memory.request(sinks[i].beats.back(), now);
        });
    }

    void feed() {
        each_source(core, [&](int i, CData&, const CData&, const auto&... payload) {
            if (i == answers) memory.feed(sources[i], now, beat_words(payload...));
        });
    }

    // A memory without latency: its word is there in the cycle of the request.
    void answer_at_once() {
        feed();
        each_source(core, [&](int i, CData& valid, const CData&, auto&... payload) {
            if (i == answers) sources[i].offer(run_cycle, valid, payload...);
        });
        settle();
    }

    template <class... Payload>
    static size_t beat_words(const Payload&...) {
        return (words_of<Payload>() + ... + 0);
    }
};

template <class Action>
int guarded(Simulation* simulation, Action&& action) {
    try {
        return action();
    } catch (const std::exception& error) {
        simulation->error = "in cycle " + std::to_string(simulation->run_cycle) + ": " + error.what();
        return -1;
    }
}

}  // namespace

EXPORTED const char* simulation_ports() { return PORTS; }

EXPORTED Simulation* simulation_open(const char* waves) { return new Simulation(waves); }

EXPORTED void simulation_close(Simulation* simulation) { delete simulation; }

EXPORTED const char* simulation_error(Simulation* simulation) { return simulation->error.c_str(); }

EXPORTED int simulation_reset(Simulation* simulation, int64_t cycles) {
    return guarded(simulation, [&] { return simulation->reset(cycles), 0; });
}

EXPORTED void simulation_source(Simulation* simulation, int number, const uint32_t* beats, int64_t count,
                                const uint8_t* stalls, int64_t period) {
    Source& source = simulation->sources[number];
    source.stalls = {stalls, period};
    source.sent = 0;
    if (number == simulation->answers) return;  // the memory has its own
    source.beats = beats, source.left = count, source.offered = false;
}

EXPORTED void simulation_sink(Simulation* simulation, int number, int64_t wanted, int64_t most, const uint8_t* stalls,
                              int64_t period) {
    simulation->sinks[number].begin(wanted, most);
    simulation->sinks[number].stalls = {stalls, period};
}

EXPORTED void simulation_memory(Simulation* simulation, int requests, int answers, const uint32_t* words,
                                const int64_t* first, const int64_t* cycles, int64_t columns, int64_t latency) {
    Memory& memory = simulation->memory;
    simulation->requests = requests, simulation->answers = answers;
    memory.words = words, memory.first = first, memory.cycles = cycles, memory.columns = columns;
    memory.latency = latency;
}

EXPORTED void simulation_begin(Simulation* simulation) { simulation->run_cycle = 0; }

// Up to so many cycles more: 1 when all is sent and received, 0 if not, -1 for an error.
EXPORTED int simulation_run(Simulation* simulation, int64_t cycles, int to_the_end) {
    return guarded(simulation, [&] {
        for (int64_t i = 0; i < cycles; ++i) {
            if (!to_the_end && simulation->done()) return 1;
            simulation->cycle();
        }
        return static_cast<int>(simulation->done());
    });
}

EXPORTED int64_t simulation_cycles(Simulation* simulation) { return simulation->run_cycle; }

// {sent, left, offered} of a source; {taken, wanted, valid} of a sink.
EXPORTED void simulation_progress(Simulation* simulation, int is_source, int number, int64_t* progress) {
    const Source& source = simulation->sources[is_source ? number : 0];
    const Sink& sink = simulation->sinks[is_source ? 0 : number];
    progress[0] = is_source ? source.sent : sink.taken;
    progress[1] = is_source ? source.left : sink.wanted;
    progress[2] = is_source ? source.offered : sink.valid;
}

EXPORTED const uint32_t* simulation_beats(Simulation* simulation, int number) {
    return simulation->sinks[number].beats.data();
}

EXPORTED const int64_t* simulation_beat_cycles(Simulation* simulation, int number) {
    return simulation->sinks[number].cycles.data();
}
