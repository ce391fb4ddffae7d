#include "team.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace deltawave {

namespace {

constexpr int spins = 20000;

void relax() {
#if defined(__x86_64__)
    _mm_pause();
#endif
}

}  // namespace

Team::Team(int size) {
    for (int number = 1; number < size; ++number) workers.emplace_back(&Team::work, this, number);
}

Team::~Team() {
    ending = true;
    arrive(started);
    for (auto& worker : workers) worker.join();
}

void Team::run(const std::function<void(int)>& todo) {
    if (workers.empty()) return todo(0);
    job = &todo;
    int before = finished.load();
    arrive(started);
    todo(0);
    wait(finished, before + int(workers.size()));
}

void Team::work(int number) {
    for (int round = 1;; ++round) {
        wait(started, round);
        if (ending) return;
        (*job)(number);
        arrive(finished);
    }
}

void Team::barrier() {
    if (workers.empty()) return;
    int round = passed.load();
    if (arrived.fetch_add(1) + 1 == size()) {
        arrived.store(0);
        arrive(passed);
    } else {
        wait(passed, round + 1);
    }
}

void Team::arrive(std::atomic<int>& count) {
    count.fetch_add(1);
    if (sleeping.load() == 0) return;
    std::lock_guard<std::mutex> lock(mutex);
    awake.notify_all();
}

void Team::wait(const std::atomic<int>& count, int value) {
    for (int i = 0; i < spins; ++i) {
        if (count.load() - value >= 0) return;
        relax();
    }
    std::unique_lock<std::mutex> lock(mutex);
    sleeping.fetch_add(1);
    awake.wait(lock, [&] { return count.load() - value >= 0; });
    sleeping.fetch_sub(1);
}

}  // namespace deltawave
