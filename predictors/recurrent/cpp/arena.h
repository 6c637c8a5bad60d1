// Aligned memory that lives as long as its owner.
#pragma once
#include <cstddef>
#include <cstring>
#include <new>
#include <vector>

namespace rollcast {

class Arena {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;
  ~Arena() {
    for (void* block : blocks) ::operator delete(block, alignment);
  }

  // n floats, all zero, on a cache line's boundary.
  float* floats(size_t n) {
    void* block = ::operator new(n * sizeof(float) + 64, alignment);
    blocks.push_back(block);
    return (float*)std::memset(block, 0, n * sizeof(float) + 64);
  }

 private:
  static constexpr std::align_val_t alignment{64};
  std::vector<void*> blocks;
};

}  // namespace rollcast
