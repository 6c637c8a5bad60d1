// What lets one source be compiled for a CPU and, by nvcc or NVRTC, for a GPU.
#pragma once
#if defined(__CUDACC__)
#define INLINE __device__ __forceinline__
#else
#define INLINE __attribute__((always_inline)) inline
#endif

#if defined(__CUDACC_RTC__)  // has no standard library; its functions of <cmath> are built in
typedef int int32_t;
typedef long long int64_t;
typedef unsigned int uint32_t;
typedef unsigned long long uint64_t;
#else
#include <cmath>
#include <cstdint>
#endif
