// A compressed se_e2_a model on a graphics card, for many runs of LAMMPS at once.
//
// The file of weights is that of helpers.md.fused, and so is the mathematics: e = (s, s x/r, s y/r,
// s z/r) normalised, of a neighbour; G_k(e_0) the embedding net, tabulated; T[m][k] = sum_j e_m G_k
// / nnei; D[k][a] = sum_m T[m][k] T[m][a]; E = net(D). A step of all places of a group is one CUDA
// graph. Compiled by a plain C++ compiler it does the same without a card, slowly: so it is tested.
//
// Units: eV, A.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "card.h"

#ifdef __CUDACC__
#include <cublas_v2.h>
#include <cuda_runtime.h>
#define BOTH __device__ __forceinline__
constexpr int LANES = 32;
#else
#define BOTH inline
constexpr int LANES = 1;
#endif

namespace {

constexpr int COEFFICIENTS = 6, WIDE = 128;  // channels, up to whole warps
constexpr int MOST = 224;                    // neighbours of an atom in a list
constexpr double SKIN = 1.0;                 // A: lists are longer than the cutoff
constexpr double MOVED = 0.35;               // A: an atom that moved so far wants new lists

[[noreturn]] void fail(const std::string& why) {
  fprintf(stderr, "card: %s\n", why.c_str());
  exit(1);
}

// ---------------------------------------------------------------------- device or plain memory

#ifdef __CUDACC__
void ok(cudaError_t e, int line) {
  if (e != cudaSuccess) fail("line " + std::to_string(line) + ": " + cudaGetErrorString(e));
}
void ok(cublasStatus_t e, int line) {
  if (e != CUBLAS_STATUS_SUCCESS) fail("line " + std::to_string(line) + ": cublas " + std::to_string(e));
}
#define OK(call) ok(call, __LINE__)
template <typename T>
T* room(size_t n) {
  T* p;
  OK(cudaMalloc(&p, n * sizeof(T)));
  OK(cudaMemset(p, 0, n * sizeof(T)));
  return p;
}
template <typename T>
T* kept(const std::vector<T>& v) {
  T* p = room<T>(v.size());
  OK(cudaMemcpy(p, v.data(), v.size() * sizeof(T), cudaMemcpyHostToDevice));
  return p;
}
typedef cudaStream_t Stream;
template <typename F>
__global__ void all_of(F f, long n) {
  const long i = blockIdx.x * (long)blockDim.x + threadIdx.x;
  if (i < n) f(i);
}
template <typename F>
__global__ void all_warps_of(F f, long n) {
  const long i = (blockIdx.x * (long)blockDim.x + threadIdx.x) / 32;
  if (i < n) f(i, threadIdx.x % 32);
}
template <typename F>
void each(Stream s, long n, F f) {
  if (n) all_of<<<(n + 127) / 128, 128, 0, s>>>(f, n);
}
template <typename F>
void each_warp(Stream s, long n, F f) {
  if (n) all_warps_of<<<(n + 3) / 4, 128, 0, s>>>(f, n);
}
template <typename T>
__device__ void add(T* to, T x) {
  atomicAdd(to, x);
}
template <typename T>
__device__ T warp_sum(T x) {
  for (int d = 16; d; d /= 2) x += __shfl_xor_sync(0xffffffffu, x, d);
  return x;
}
#else
template <typename T>
T* room(size_t n) {
  return (T*)calloc(n, sizeof(T));
}
template <typename T>
T* kept(const std::vector<T>& v) {
  T* p = room<T>(v.size());
  memcpy(p, v.data(), v.size() * sizeof(T));
  return p;
}
typedef int Stream;
template <typename F>
void each(Stream, long n, F f) {
  for (long i = 0; i < n; ++i) f(i);
}
template <typename F>
void each_warp(Stream, long n, F f) {
  for (long i = 0; i < n; ++i) f(i, 0);
}
template <typename T>
void add(T* to, T x) {
  *to += x;
}
template <typename T>
T warp_sum(T x) {
  return x;
}
#endif

// ---------------------------------------------------------------------- the model

struct Net {
  float *w0, *b0, *w1, *b1, *i1, *w2, *b2, *i2, *last;
  double energy;  // of the last layer's bias and the atom
};

struct Model {
  int types, channels, axis, hidden, rows, sum_of_sel;
  float rcut, smooth, low, step;
  int sel[card::TYPES];
  float mean[card::TYPES], deviation[card::TYPES], of_direction[card::TYPES];
  float* tables;  // [type][row][coefficient][WIDE]
  Net nets[card::TYPES];
};

template <typename T>
std::vector<T> read(FILE* file, size_t n) {
  std::vector<T> v(n);
  if (fread(v.data(), sizeof(T), n, file) != n) fail("the file of weights is cut off");
  return v;
}

Model read_model(const char* name) {
  FILE* file = fopen(name, "rb");
  if (!file) fail(std::string("cannot open ") + name);
  Model m = {};
  const auto whole = read<int>(file, 8);
  if (whole[0] != 0x5A494634 || whole[1] != 1) fail("not a file of weights of this version");
  m.types = whole[2], m.channels = whole[3], m.axis = whole[4], m.hidden = whole[5];
  m.rows = whole[6], m.sum_of_sel = whole[7];
  if (m.channels > WIDE || m.types > 4) fail("more channels or elements than expected");
  const auto real = read<float>(file, 4);
  m.rcut = real[0], m.smooth = real[1], m.low = real[2], m.step = real[3];
  const auto sel = read<int>(file, m.types);
  const auto mean = read<float>(file, m.types), deviation = read<float>(file, m.types),
             direction = read<float>(file, m.types);
  for (int t = 0; t < m.types; ++t) {
    m.sel[t] = sel[t], m.mean[t] = mean[t];
    m.deviation[t] = deviation[t], m.of_direction[t] = direction[t];
  }
  const size_t lines = (size_t)m.types * m.rows * COEFFICIENTS;
  const auto plain = read<float>(file, lines * m.channels);
  std::vector<float> wide(lines * WIDE, 0.0f);
  for (size_t i = 0; i < lines; ++i) {
    for (int k = 0; k < m.channels; ++k) wide[i * WIDE + k] = plain[i * m.channels + k];
  }
  m.tables = kept(wide);
  const int H = m.hidden, D = m.channels * m.axis;
  for (int t = 0; t < m.types; ++t) {
    Net& n = m.nets[t];
    n.w0 = kept(read<float>(file, (size_t)D * H)), n.b0 = kept(read<float>(file, H));
    n.w1 = kept(read<float>(file, (size_t)H * H)), n.b1 = kept(read<float>(file, H));
    n.i1 = kept(read<float>(file, H));
    n.w2 = kept(read<float>(file, (size_t)H * H)), n.b2 = kept(read<float>(file, H));
    n.i2 = kept(read<float>(file, H));
    n.last = kept(read<float>(file, H));
    n.energy = read<double>(file, 1)[0];
  }
  fclose(file);
  return m;
}

// ---------------------------------------------------------------------- a group of runs

struct alignas(16) Four {
  float v[4];
};

struct alignas(16) Pair {
  Four e;           // normalised environment
  float x, beyond;  // in its interval of the table, and beyond its ends
  int row;          // of the tables, that of its type included; -1: further than the cutoff
  unsigned one;     // one neighbour of its type, as `missing` counts them
  float d[3];       // from the atom to its neighbour, A
  float radial;     // d e_0 / dr / r
  float direction, direction_slope;  // q = e_m / d_m, and dq/dr / r
  float unused[2];
};

struct Atoms {  // all of a group, on the card
  int places, atoms, most;      // most: the longest list is allowed to be
  int start[card::TYPES + 1];   // first atom of a type within a place
  const double *positions, *cells;
  double *inverse, *reference;  // of the cells; positions when the lists were made
  const int* under_way;         // of each place
  int *count, *list;            // of the lists
  unsigned* moved;              // largest square of a way since then, as bits of a float
  Pair* pairs;
  float *T, *dT, *X, *dX, *h0, *t1, *h1, *t2, *h2, *g, *z;
  float* forces;
  double* results;

  BOTH int type_of(int s) const {
    int t = 0;
    while (s >= start[t + 1]) ++t;
    return t;
  }
  // atoms of a type of all places lie together
  BOTH long row(int place, int s, int t) const {
    return (long)start[t] * places + (long)place * (start[t + 1] - start[t]) + s - start[t];
  }
};

BOTH void nearest_image(const double* cell, const double* inverse, const double* a, const double* b,
                        double* d) {
  double raw[3], n[3];
  for (int c = 0; c < 3; ++c) raw[c] = b[c] - a[c];
  for (int c = 0; c < 3; ++c) {
    n[c] = rint(raw[0] * inverse[c] + raw[1] * inverse[3 + c] + raw[2] * inverse[6 + c]);
  }
  for (int c = 0; c < 3; ++c) {
    d[c] = raw[c] - (n[0] * cell[c] + n[1] * cell[3 + c] + n[2] * cell[6 + c]);
  }
}

struct Invert {  // of each place; a thin cell is answered like too many neighbours
  Atoms a;
  double wanted;  // height of a cell, A
  BOTH void operator()(long p) const {
    const double* c = a.cells + 9 * p;
    double* v = a.inverse + 9 * p;
    double* r = a.results + card::RESULTS * p;
    for (int k = 0; k < card::RESULTS; ++k) r[k] = 0;
    if (!a.under_way[p]) return;
    for (int i = 0; i < 3; ++i) {
      for (int j = 0; j < 3; ++j) {
        const int i1 = (i + 1) % 3, i2 = (i + 2) % 3, j1 = (j + 1) % 3, j2 = (j + 2) % 3;
        v[3 * j + i] = c[3 * i1 + j1] * c[3 * i2 + j2] - c[3 * i1 + j2] * c[3 * i2 + j1];
      }
    }
    const double volume = c[0] * v[0] + c[1] * v[3] + c[2] * v[6];
    for (int k = 0; k < 9; ++k) v[k] /= volume;
    for (int k = 0; k < 3; ++k) {
      const double h = 1 / sqrt(v[k] * v[k] + v[3 + k] * v[3 + k] + v[6 + k] * v[6 + k]);
      if (h < wanted) r[7] = 1;
    }
  }
};

struct List {  // neighbours of each atom
  Atoms a;
  double reach2;
  BOTH void operator()(long i, int lane) const {
    const int place = i / a.atoms;
    int n = 0;
    if (a.under_way[place]) {
      const double* x = a.positions + 3 * i;
      const double* all = a.positions + 3l * place * a.atoms;
      int* list = a.list + i * MOST;
      for (int first = 0; first < a.atoms; first += LANES) {
        const int j = first + lane;
        bool near = false;
        if (j < a.atoms && all + 3 * j != x) {
          double d[3];
          nearest_image(a.cells + 9 * place, a.inverse + 9 * place, x, all + 3 * j, d);
          near = d[0] * d[0] + d[1] * d[1] + d[2] * d[2] < reach2;
        }
#ifdef __CUDACC__
        const unsigned who = __ballot_sync(0xffffffffu, near);
        const int at = n + __popc(who & ((1u << lane) - 1));
        if (near && at < MOST) list[at] = j;
        n += __popc(who);
#else
        if (near && n < MOST) list[n] = j;
        n += near;
#endif
      }
      if (lane < 3) {
        for (int c = lane; c < 3; c += LANES) a.reference[3 * i + c] = x[c];
      }
      if (n > MOST) {
        if (!lane) a.results[card::RESULTS * place + 7] = 1;
        n = MOST;
      }
    }
    if (!lane) a.count[i] = n;
  }
};

struct Environment {  // of each place in each list
  Atoms a;
  Model m;
  BOTH void operator()(long k) const {
    const long i = k / MOST;
    const int at = k % MOST, place = i / a.atoms, s = i % a.atoms;
    if (at == 0) {
      a.forces[3 * i] = a.forces[3 * i + 1] = a.forces[3 * i + 2] = 0;
      if (a.under_way[place]) {
        float way = 0;
        double since[3];  // LAMMPS may have put the atom to the other side of the cell
        nearest_image(a.cells + 9 * place, a.inverse + 9 * place, a.reference + 3 * i,
                      a.positions + 3 * i, since);
        for (int c = 0; c < 3; ++c) {
          way += (float)(since[c] * since[c]);
        }
#ifdef __CUDACC__
        atomicMax(a.moved, __float_as_uint(way));
#else
        float old;
        memcpy(&old, a.moved, 4);
        if (way > old) memcpy(a.moved, &way, 4);
#endif
      }
    }
    if (at >= a.count[i]) return;
    Pair& b = a.pairs[k];
    const int j = a.list[k];
    double d[3];
    nearest_image(a.cells + 9 * place, a.inverse + 9 * place, a.positions + 3 * i,
                  a.positions + 3 * ((long)place * a.atoms + j), d);
    const double r2 = d[0] * d[0] + d[1] * d[1] + d[2] * d[2];
    if (r2 >= (double)m.rcut * m.rcut) {
      b.row = -1;
      return;
    }
    const int type = a.type_of(s), other = a.type_of(j);
    const float r = sqrtf((float)r2), inverse = 1.0f / r;
    float sw = 1, slope = 0;
    if (r > m.smooth) {
      const float width = m.rcut - m.smooth, u = (r - m.smooth) / width;
      sw = u * u * u * (-6 * u * u + 15 * u - 10) + 1;
      slope = u * u * (-30 * u * u + 60 * u - 30) / width;
    }
    const float value = sw * inverse, change = (slope - value) * inverse;  // s, ds/dr
    const float dev = m.deviation[type], dir = m.of_direction[type];
    b.e.v[0] = (value - m.mean[type]) / dev;
    b.radial = change / dev * inverse;
    b.direction = value * inverse / dir;
    b.direction_slope = (change - value * inverse) * inverse * inverse / dir;
    for (int c = 0; c < 3; ++c) {
      b.d[c] = (float)d[c];
      b.e.v[c + 1] = b.direction * b.d[c];
    }
    const int row = min(max((int)floorf((b.e.v[0] - m.low) / m.step), 0), m.rows - 1);
    const float x = b.e.v[0] - (m.low + row * m.step);
    b.x = fminf(fmaxf(x, 0.0f), m.step);
    b.beyond = x - b.x;
    b.row = other * m.rows + row;
    b.one = 1u << 8 * other;
  }
#ifndef __CUDACC__
  static int min(int a, int b) { return a < b ? a : b; }
  static int max(int a, int b) { return a > b ? a : b; }
#endif
};

BOTH float value_of(const float* c, float x, float beyond) {
  float g = c[0] + (c[WIDE] + (c[2 * WIDE] + (c[3 * WIDE] + (c[4 * WIDE] + c[5 * WIDE] * x) * x) * x) * x) * x;
  if (beyond != 0) {
    g += (c[WIDE] + (2 * c[2 * WIDE] + (3 * c[3 * WIDE] + (4 * c[4 * WIDE] + 5 * c[5 * WIDE] * x) * x) * x) * x) * beyond;
  }
  return g;
}

struct Describe {  // T of each atom, 32 channels at a time
  Atoms a;
  Model m;
  BOTH void operator()(long item, int lane) const {
    const long i = item / (WIDE / 32);
    const int chunk = item % (WIDE / 32), place = i / a.atoms, s = i % a.atoms;
    if (!a.under_way[place]) return;
    const int type = a.type_of(s), n = a.count[i];
    const Pair* pairs = a.pairs + i * MOST;
    const float e0 = -m.mean[type] / m.deviation[type];  // of what fills the list up to sel: s = 0
    int empty_row = (int)floorf((e0 - m.low) / m.step);
    empty_row = empty_row < 0 ? 0 : empty_row > m.rows - 1 ? m.rows - 1 : empty_row;
    const float empty_x = e0 - (m.low + empty_row * m.step);
    for (int k = 32 * chunk + lane; k < 32 * (chunk + 1); k += LANES) {
      float t0 = 0, t1 = 0, t2 = 0, t3 = 0;
      unsigned found = 0;
      for (int at = 0; at < n; ++at) {
        const Pair& b = pairs[at];
        const int row = b.row;
        if (row < 0) continue;
        const Four e = b.e;
        found += b.one;
        const float g = value_of(m.tables + (long)row * COEFFICIENTS * WIDE + k, b.x, b.beyond);
        t0 += g * e.v[0], t1 += g * e.v[1], t2 += g * e.v[2], t3 += g * e.v[3];
      }
      for (int t = 0; t < m.types; ++t) {
        const int missing = m.sel[t] - (int)(found >> 8 * t & 255);
        if (missing < 0) a.results[card::RESULTS * place + 7] = 1;
        const long row = (long)t * m.rows + empty_row;
        t0 += value_of(m.tables + row * COEFFICIENTS * WIDE + k, empty_x, 0) * e0 * missing;
      }
      const float share = 1.0f / m.sum_of_sel;
      float* T = a.T + a.row(place, s, type) * 4 * WIDE + k;
      T[0] = t0 * share, T[WIDE] = t1 * share, T[2 * WIDE] = t2 * share, T[3 * WIDE] = t3 * share;
    }
  }
};

struct Product {  // X = T T'
  Atoms a;
  Model m;
  BOTH void operator()(long item) const {
    const long row = item / m.channels;
    const int k = item % m.channels;
    const float* T = a.T + row * 4 * WIDE;
    float* X = a.X + item * m.axis;
    for (int b = 0; b < m.axis; ++b) {
      X[b] = T[k] * T[b] + T[WIDE + k] * T[WIDE + b] + T[2 * WIDE + k] * T[2 * WIDE + b] +
             T[3 * WIDE + k] * T[3 * WIDE + b];
    }
  }
};

struct Layer {  // y = x + idt tanh(z + b); t keeps tanh
  const float *z, *b, *idt, *x;
  float *y, *t;
  int hidden;
  BOTH void operator()(long i) const {
    const int k = i % hidden;
    const float tanh = tanhf(z[i] + b[k]);
    t[i] = tanh;
    y[i] = idt ? x[i] + idt[k] * tanh : tanh;
  }
};

struct LayerBack {  // g += more; z = g idt (1 - tanh^2)
  float* g;
  const float *more, *last, *idt, *t;
  float* z;
  int hidden;
  BOTH void operator()(long i) const {
    const int k = i % hidden;
    const float sum = last ? last[k] : g[i] + more[i];
    g[i] = sum;
    z[i] = sum * (idt ? idt[k] : 1.0f) * (1.0f - t[i] * t[i]);
  }
};

struct Energy {  // of each atom of a type
  Atoms a;
  Model m;
  int type;
  BOTH void operator()(long item, int lane) const {
    const int n = a.start[type + 1] - a.start[type], place = item / n;
    const float* h = a.h2 + ((long)a.start[type] * a.places + item) * m.hidden;
    float e = 0;
    for (int k = lane; k < m.hidden; k += LANES) e += h[k] * m.nets[type].last[k];
    e = warp_sum(e);
    if (!lane && a.under_way[place]) {
      add(a.results + card::RESULTS * place, (double)e + m.nets[type].energy);
    }
  }
};

struct DescribeBack {  // dT from dX
  Atoms a;
  Model m;
  BOTH void operator()(long item) const {
    const long row = item / m.channels;
    const int k = item % m.channels;
    const float *T = a.T + row * 4 * WIDE, *dX = a.dX + row * m.channels * m.axis;
    float back[4] = {0, 0, 0, 0};
    for (int b = 0; b < m.axis; ++b) {
      for (int c = 0; c < 4; ++c) back[c] += dX[k * m.axis + b] * T[c * WIDE + b];
    }
    if (k < m.axis) {
      for (int l = 0; l < m.channels; ++l) {
        for (int c = 0; c < 4; ++c) back[c] += dX[l * m.axis + k] * T[c * WIDE + l];
      }
    }
    for (int c = 0; c < 4; ++c) a.dT[row * 4 * WIDE + c * WIDE + k] = back[c];
  }
};

struct Force {  // of the pairs of each atom
  Atoms a;
  Model m;
  BOTH void operator()(long i, int lane) const {
    const int place = i / a.atoms, s = i % a.atoms, n = a.count[i];
    if (!n) return;
    constexpr int EACH = WIDE / LANES;  // channels of a lane
    float r[EACH][4], f[3] = {0, 0, 0}, w[6] = {0, 0, 0, 0, 0, 0};
    const float* dT = a.dT + a.row(place, s, a.type_of(s)) * 4 * WIDE + lane;
    for (int k = 0; k < EACH; ++k) {
      for (int c = 0; c < 4; ++c) r[k][c] = dT[c * WIDE + k * LANES];
    }
    const Pair* pairs = a.pairs + i * MOST;
    const float share = 1.0f / m.sum_of_sel;
    for (int at = 0; at < n; ++at) {
      const Pair& b = pairs[at];
      const int row = b.row;
      if (row < 0) continue;
      const Four e = b.e;
      const float x = b.x, beyond = b.beyond;
      const float* table = m.tables + (long)row * COEFFICIENTS * WIDE + lane;
      float by_e0 = 0, by0 = 0, by1 = 0, by2 = 0;
#ifdef __CUDACC__
#pragma unroll
#endif
      for (int k = 0; k < EACH; ++k) {
        const float* c = table + k * LANES;
        const float c1 = c[WIDE], c2 = c[2 * WIDE], c3 = c[3 * WIDE], c4 = c[4 * WIDE],
                    c5 = c[5 * WIDE];
        const float slope = c1 + (2 * c2 + (3 * c3 + (4 * c4 + 5 * c5 * x) * x) * x) * x;
        float g = c[0] + (c1 + (c2 + (c3 + (c4 + c5 * x) * x) * x) * x) * x;
        g += slope * beyond;
        by_e0 += slope * (r[k][0] * e.v[0] + r[k][1] * e.v[1] + r[k][2] * e.v[2] + r[k][3] * e.v[3]) +
                 g * r[k][0];
        by0 += g * r[k][1], by1 += g * r[k][2], by2 += g * r[k][3];
      }
      // only what stands along each axis is summed over the lanes
      const float q = b.direction, p = b.direction_slope;
      const float d[3] = {b.d[0], b.d[1], b.d[2]};
      const float along = by_e0 * b.radial + (by0 * d[0] + by1 * d[1] + by2 * d[2]) * p;
      const float gradient[3] = {warp_sum((along * d[0] + q * by0) * share),
                                 warp_sum((along * d[1] + q * by1) * share),
                                 warp_sum((along * d[2] + q * by2) * share)};
      for (int c = 0; c < 3; ++c) f[c] += gradient[c];
      w[0] -= gradient[0] * d[0], w[1] -= gradient[1] * d[1], w[2] -= gradient[2] * d[2];
      w[3] -= gradient[0] * d[1], w[4] -= gradient[0] * d[2], w[5] -= gradient[1] * d[2];
      if (lane < 3) {
        float* other = a.forces + 3 * ((long)place * a.atoms + a.list[i * MOST + at]);
        for (int c = lane; c < 3; c += LANES) add(other + c, -gradient[c]);
      }
    }
    if (lane) return;
    for (int c = 0; c < 3; ++c) add(a.forces + 3 * i + c, f[c]);
    double* results = a.results + card::RESULTS * place;
    for (int c = 0; c < 6; ++c) add(results + 1 + c, (double)w[c]);
  }
};

// ---------------------------------------------------------------------- a step of a group

struct Worker {
  card::Header* header;
  card::Group* group;
  Model m;
  Atoms a;
  double *positions, *cells;  // the same as in a, not constant
  int *under_way, *under_way_here;
  card::Place* states;
  unsigned* moved_here;
  long steps = 0, lists = 0, late = 0;
  bool in_flight = false, lists_due = true;
#ifdef __CUDACC__
  Stream stream, side[card::TYPES];
  cublasHandle_t blas[card::TYPES];
  cudaEvent_t forked, joined[card::TYPES], finished;
  cudaGraphExec_t plain, with_lists;
#else
  Stream stream = 0, side[card::TYPES] = {};
#endif

  Worker(card::Header* h, card::Group* g, const Model& model) : header(h), group(g), m(model) {
    a = {};
    a.places = g->places, a.atoms = g->atoms;
    for (int t = 0; t < m.types; ++t) a.start[t + 1] = a.start[t] + g->of_type[t];
    for (int t = m.types; t < card::TYPES; ++t) a.start[t + 1] = 1 << 30;
    const long all = (long)a.places * a.atoms, D = m.channels * m.axis, H = m.hidden;
    a.positions = positions = room<double>(3 * all);
    a.cells = cells = room<double>(9 * a.places);
    a.inverse = room<double>(9 * a.places), a.reference = room<double>(3 * all);
    a.under_way = under_way = room<int>(a.places);
    a.count = room<int>(all), a.list = room<int>(all * MOST), a.pairs = room<Pair>(all * MOST);
    a.moved = room<unsigned>(1);
    a.T = room<float>(all * 4 * WIDE), a.dT = room<float>(all * 4 * WIDE);
    a.X = room<float>(all * D), a.dX = room<float>(all * D);
    for (float** p : {&a.h0, &a.t1, &a.h1, &a.t2, &a.h2, &a.g, &a.z}) *p = room<float>(all * H);
    a.forces = room<float>(3 * all), a.results = room<double>(card::RESULTS * a.places);
    states = card::at<card::Place>(h, g->states);
#ifdef __CUDACC__
    OK(cudaMallocHost(&under_way_here, a.places * sizeof(int)));
    OK(cudaMallocHost(&moved_here, sizeof(unsigned)));
    // the group named first goes first: a long line of steps of few atoms does not wait for many
    int last, first;
    OK(cudaDeviceGetStreamPriorityRange(&last, &first));
    const int priority = std::min<long>(last, first + (g - h->group));
    OK(cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking, priority));
    OK(cudaEventCreateWithFlags(&forked, cudaEventDisableTiming));
    OK(cudaEventCreateWithFlags(&finished, cudaEventDisableTiming));
    for (int t = 0; t < m.types; ++t) {
      OK(cudaStreamCreateWithPriority(&side[t], cudaStreamNonBlocking, priority));
      OK(cudaEventCreateWithFlags(&joined[t], cudaEventDisableTiming));
      OK(cublasCreate(&blas[t]));
      OK(cublasSetStream(blas[t], side[t]));
      void* workspace = room<char>(32 << 20);
      OK(cublasSetWorkspace(blas[t], workspace, 32 << 20));
      OK(cublasSetMathMode(blas[t], CUBLAS_PEDANTIC_MATH));
    }
    once(true);  // cublas chooses its kernels
    OK(cudaStreamSynchronize(stream));
    plain = recorded(false), with_lists = recorded(true);
#else
    under_way_here = room<int>(a.places), moved_here = room<unsigned>(1);
#endif
  }

#ifdef __CUDACC__
  cudaGraphExec_t recorded(bool lists) {
    cudaGraph_t graph;
    cudaGraphExec_t made;
    OK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    once(lists);
    OK(cudaStreamEndCapture(stream, &graph));
    OK(cudaGraphInstantiate(&made, graph, 0));
    return made;
  }
  void in(void* to, const void* from, size_t n) {
    OK(cudaMemcpyAsync(to, from, n, cudaMemcpyHostToDevice, stream));
  }
  void out(void* to, const void* from, size_t n) {
    OK(cudaMemcpyAsync(to, from, n, cudaMemcpyDeviceToHost, stream));
  }
#else
  void in(void* to, const void* from, size_t n) { memcpy(to, from, n); }
  void out(void* to, const void* from, size_t n) { memcpy(to, from, n); }
#endif

  // y (n, cols) = x (n, rows) w, or x (n, cols) w^T where transposed
  void multiply(int t, const float* x, const float* w, float* y, int n, int rows, int cols, bool transposed) {
#ifdef __CUDACC__
    const float one = 1, zero = 0;
    if (transposed) {
      OK(cublasSgemm(blas[t], CUBLAS_OP_T, CUBLAS_OP_N, rows, n, cols, &one, w, cols, x, cols, &zero, y, rows));
    } else {
      OK(cublasSgemm(blas[t], CUBLAS_OP_N, CUBLAS_OP_N, cols, n, rows, &one, w, cols, x, rows, &zero, y, cols));
    }
#else
    (void)t;
    const int from = transposed ? cols : rows, to = transposed ? rows : cols;
    for (int i = 0; i < n; ++i) {
      for (int j = 0; j < to; ++j) y[(long)i * to + j] = 0;
      for (int k = 0; k < from; ++k) {
        for (int j = 0; j < to; ++j) {
          y[(long)i * to + j] += x[(long)i * from + k] * (transposed ? w[(long)j * cols + k] : w[(long)k * cols + j]);
        }
      }
    }
#endif
  }

  void net(int t) {
    const long first = (long)a.start[t] * a.places, D = m.channels * m.axis, H = m.hidden;
    const int n = (a.start[t + 1] - a.start[t]) * a.places;
    if (!n) return;
    const Net& w = m.nets[t];
    const Stream s = side[t];
    float *X = a.X + first * D, *dX = a.dX + first * D, *z = a.z + first * H, *g = a.g + first * H;
    float *h0 = a.h0 + first * H, *h1 = a.h1 + first * H, *h2 = a.h2 + first * H;
    float *t1 = a.t1 + first * H, *t2 = a.t2 + first * H;
    multiply(t, X, w.w0, z, n, D, H, false);
    each(s, n * H, Layer{z, w.b0, nullptr, nullptr, h0, h0, (int)H});
    multiply(t, h0, w.w1, z, n, H, H, false);
    each(s, n * H, Layer{z, w.b1, w.i1, h0, h1, t1, (int)H});
    multiply(t, h1, w.w2, z, n, H, H, false);
    each(s, n * H, Layer{z, w.b2, w.i2, h1, h2, t2, (int)H});
    each_warp(s, n, Energy{a, m, t});
    each(s, n * H, LayerBack{g, nullptr, w.last, w.i2, t2, z, (int)H});
    multiply(t, z, w.w2, h1, n, H, H, true);  // h1 is free now
    each(s, n * H, LayerBack{g, h1, nullptr, w.i1, t1, z, (int)H});
    multiply(t, z, w.w1, h1, n, H, H, true);
    each(s, n * H, LayerBack{g, h1, nullptr, nullptr, h0, z, (int)H});
    multiply(t, z, w.w0, dX, n, D, H, true);
  }

  void once(bool lists) {
    const long all = (long)a.places * a.atoms;
    const double reach = m.rcut + SKIN;
    in(positions, card::at<double>(header, group->positions), 3 * all * sizeof(double));
    in(cells, card::at<double>(header, group->cells), 9 * a.places * sizeof(double));
    in(under_way, under_way_here, a.places * sizeof(int));
#ifdef __CUDACC__
    OK(cudaMemsetAsync(a.moved, 0, sizeof(unsigned), stream));
#else
    *a.moved = 0;
#endif
    each(stream, a.places, Invert{a, 2 * reach});
    if (lists) each_warp(stream, all, List{a, reach * reach});
    each(stream, all * MOST, Environment{a, m});
    each_warp(stream, all * (WIDE / 32), Describe{a, m});
    each(stream, all * m.channels, Product{a, m});
#ifdef __CUDACC__
    OK(cudaEventRecord(forked, stream));
    for (int t = 0; t < m.types; ++t) {
      OK(cudaStreamWaitEvent(side[t], forked));
      net(t);
      OK(cudaEventRecord(joined[t], side[t]));
      OK(cudaStreamWaitEvent(stream, joined[t]));
    }
#else
    for (int t = 0; t < m.types; ++t) net(t);
#endif
    each(stream, all * m.channels, DescribeBack{a, m});
    each_warp(stream, all, Force{a, m});
    out(card::at<float>(header, group->forces), a.forces, 3 * all * sizeof(float));
    out(card::at<double>(header, group->results), a.results, card::RESULTS * a.places * sizeof(double));
    out(moved_here, a.moved, sizeof(unsigned));
  }

  // what can be done now; whether anything is under way
  bool turn() {
    if (in_flight) {
#ifdef __CUDACC__
      const cudaError_t e = cudaEventQuery(finished);
      if (e == cudaErrorNotReady) return true;
      OK(e);
#endif
      in_flight = false;
      float way;
      memcpy(&way, moved_here, 4);
      const bool had = lists_due;
      lists_due = way > MOVED * MOVED;
      late += !had && way > 0.25 * SKIN * SKIN;
      for (int p = 0; p < a.places; ++p) {
        if (under_way_here[p]) states[p].state.store(card::ANSWERED, std::memory_order_release);
      }
      return true;
    }
    int busy = 0, asking = 0;
    for (int p = 0; p < a.places; ++p) {
      const int state = states[p].state.load(std::memory_order_acquire);
      asking += state == card::ASKS, busy += state == card::BUSY || state == card::ANSWERED;
    }
    if (busy || !asking) return busy;
    for (int p = 0; p < a.places; ++p) {
      const int asks = states[p].state.load(std::memory_order_acquire) == card::ASKS;
      lists_due |= asks && !under_way_here[p];  // it has none yet
      under_way_here[p] = asks;
    }
    ++steps, lists += lists_due;
#ifdef __CUDACC__
    OK(cudaGraphLaunch(lists_due ? with_lists : plain, stream));
    OK(cudaEventRecord(finished, stream));
#else
    once(lists_due);
#endif
    return in_flight = true;
  }
};

}  // namespace

int main(int argc, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (argc != 3) fail("give the file of weights and the shared file");
  const int file = open(argv[2], O_RDWR);
  struct stat size;
  if (file < 0 || fstat(file, &size)) fail(std::string("cannot open ") + argv[2]);
  void* there = mmap(nullptr, size.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (there == MAP_FAILED) fail("cannot map the shared file");
  auto* header = (card::Header*)there;
#ifdef __CUDACC__
  OK(cudaSetDeviceFlags(cudaDeviceScheduleSpin));
  OK(cudaHostRegister(there, size.st_size, cudaHostRegisterDefault));
#endif
  const Model model = read_model(argv[1]);
  std::vector<Worker*> workers;
  for (int g = 0; g < header->groups; ++g) workers.push_back(new Worker(header, &header->group[g], model));
  header->ready.store(1);
  while (!header->stop.load()) {
    bool any = false;
    for (Worker* w : workers) any |= w->turn();
    if (!any) usleep(20);
  }
  for (size_t g = 0; g < workers.size(); ++g) {
    printf("group %zu: %ld steps of %d places of %d atoms, %ld with new lists, %ld late\n", g,
           workers[g]->steps, workers[g]->a.places, workers[g]->a.atoms, workers[g]->lists,
           workers[g]->late);
  }
  return 0;
}
