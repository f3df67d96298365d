// What LAMMPS (card_lammps.cc) and the graphics card (card_potential.cu) share: a file in memory.
//
// A group is several runs of the same atoms (places), evaluated together. A run writes positions and
// cell and waits; when all that are under way wait, all are evaluated, and each reads its forces.
// Units: eV, A.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace card {

constexpr int GROUPS = 8, TYPES = 8;

enum State : int32_t { ABSENT = 0, BUSY = 1, ASKS = 2, ANSWERED = 3 };

struct Place {
  std::atomic<int32_t> state;
  int32_t padding[15];
};

struct Group {
  int32_t places, atoms;
  int32_t of_type[TYPES];  // atoms of each type; in a place they are sorted by type
  std::atomic<int32_t> next_job;
  int64_t states, positions, cells, forces, results;  // offsets in the file
};

struct Header {
  int32_t groups;
  std::atomic<int32_t> ready;  // the card is
  std::atomic<int32_t> stop;   // time is over
  Group group[GROUPS];
};

// of a place
constexpr int CELL = 9;     // rows: a, b, c (lower triangular, as LAMMPS has them)
constexpr int RESULTS = 8;  // energy; virial xx yy zz xy xz yz; 1 if an atom has too many neighbours

template <typename T>
T* at(Header* h, int64_t offset) {
  return reinterpret_cast<T*>(reinterpret_cast<char*>(h) + offset);
}

}  // namespace card
