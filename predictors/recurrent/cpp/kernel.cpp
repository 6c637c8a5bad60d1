// The kernel's plain C interface: many trainings on a few threads, windows handed out one by one.
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "training.h"

namespace rollcast {

std::unique_ptr<Trainer> trainer(const Plan& plan, const std::atomic<bool>& stop) {
  switch (plan.cell) {
    case cell_rnn: return std::unique_ptr<Trainer>(new Training<Rnn>(plan, stop));
    case cell_gru: return std::unique_ptr<Trainer>(new Training<Gru>(plan, stop));
    default: return std::unique_ptr<Trainer>(new Training<Lstm>(plan, stop));
  }
}

// Every job is trained by one thread from start to end, so its result knows nothing of threads or of other jobs.
class Run {
 public:
  Run(const Plan& plan, Job* jobs, int count, int threads) : plan(plan), jobs(jobs), count(count) {
    for (int i = 0; i < threads; i++) workers.emplace_back([this] { work(); });
  }
  ~Run() {
    stop = true;
    for (auto& worker : workers) worker.join();
  }

  // The position of a job that has ended since the last call, or -1 if none has after `milliseconds`.
  int next(int milliseconds) {
    std::unique_lock<std::mutex> lock(mutex);
    ended_one.wait_for(lock, std::chrono::milliseconds(milliseconds), [this] { return !ended.empty(); });
    if (ended.empty()) return -1;
    const int job = ended.front();
    ended.pop_front();
    return job;
  }

 private:
  void work() {
    const auto training = trainer(plan, stop);
    for (int job; !stop && (job = handed_out.fetch_add(1)) < count;) {
      if (jobs[job].continues) continue;  // whoever has the head of a chain takes the whole chain
      do {
        training->run(jobs[job]);
        if (stop) return;
        const std::lock_guard<std::mutex> lock(mutex);
        ended.push_back(job);
        ended_one.notify_one();
      } while (++job < count && jobs[job].continues);
    }
  }

  const Plan plan;
  Job* const jobs;
  const int count;
  std::atomic<int> handed_out{0};
  std::atomic<bool> stop{false};
  std::mutex mutex;
  std::condition_variable ended_one;
  std::deque<int> ended;
  std::vector<std::thread> workers;
};

}  // namespace rollcast

#if defined(_WIN32)
#define EXPORT extern "C" __declspec(dllexport)
#else
#define EXPORT extern "C" __attribute__((visibility("default")))
#endif

// Which build this processor can run: 2 for AVX-512, 1 for AVX2 with FMA, 0 for the portable one.
EXPORT int rollcast_level() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return 0;
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") ? 2 : 1;
#else
  return 0;
#endif
}

EXPORT void* rollcast_start(const rollcast::Plan* plan, rollcast::Job* jobs, int count, int threads) {
  return new rollcast::Run(*plan, jobs, count, threads);
}
EXPORT int rollcast_next(void* run, int milliseconds) { return ((rollcast::Run*)run)->next(milliseconds); }
EXPORT void rollcast_stop(void* run) { delete (rollcast::Run*)run; }

EXPORT double rollcast_gradient(const rollcast::Plan* plan, rollcast::Job* job, float* out) {
  const std::atomic<bool> stop{false};
  return rollcast::trainer(*plan, stop)->gradient(*job, out);
}
