// A few threads that work on one cell together: a job for all of them, and a barrier inside the job.
//
// Waiting spins for some microseconds, as a step takes no longer, and then sleeps.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace deltawave {

class Team {
public:
    explicit Team(int size);
    ~Team();
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;

    int size() const { return int(workers.size()) + 1; }

    // Runs job(0) here and job(1..size-1) on the workers; returns when all are done.
    void run(const std::function<void(int)>& job);

    // Within a job: returns when every thread has come here.
    void barrier();

private:
    void work(int number);
    void arrive(std::atomic<int>& count);
    void wait(const std::atomic<int>& count, int value);

    std::vector<std::thread> workers;
    const std::function<void(int)>* job = nullptr;
    std::atomic<int> started{0}, arrived{0}, passed{0}, finished{0};
    std::atomic<int> sleeping{0};
    std::mutex mutex;
    std::condition_variable awake;
    bool ending = false;
};

}  // namespace deltawave
