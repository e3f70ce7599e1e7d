// Hides a value from the compiler, so that absurd sizes are not diagnosed and allocations stay.
#pragma once

template <class T>
T opaque(T value) {
  asm volatile("" : "+r"(value) : : "memory");
  return value;
}
