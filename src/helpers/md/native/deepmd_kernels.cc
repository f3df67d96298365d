// Three inner loops of DeePMD-kit (libdeepmd.so, 3.2), for the processor they are compiled on.
//
// The wheel's are compiled for the oldest x86-64 and take four fifths of a molecular-dynamics step
// of a compressed se_e2_a model. The ones here have the same names, so that a library that is
// preloaded is used in place of the wheel's. helpers.md.kernels compiles, checks and preloads it.
//
// Table layout of DeePMD-kit: row of the table, channel, six coefficients of a polynomial. Loops
// over channels need the coefficients of all channels side by side, so each table is turned once.

#include <cmath>
#include <cstring>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <vector>

namespace {

// A table, [row][coefficient][channel].
template <typename T>
struct Turned {
  std::vector<T> fingerprint;
  std::vector<T> data;
};

template <typename T>
int last_row(const T* info) {
  const T lower = info[0], upper = info[1], max = info[2], stride0 = info[3], stride1 = info[4];
  return (int)((upper - lower) / stride0) + (int)((std::nextafter(max, lower) - upper) / stride1);
}

// The turned table of these contents. A pointer is no name for a table (memory is used again), so
// 512 values spread over it are compared.
template <typename T>
const T* turned(const T* table, const T* info, const int channels) {
  static std::mutex mutex;
  static std::vector<std::unique_ptr<Turned<T>>> known;
  const int rows = last_row(info) + 1;
  const long size = (long)rows * channels * 6;
  std::vector<T> fingerprint = {(T)rows, (T)channels, info[0], info[1], info[2], info[3], info[4]};
  for (int i = 0; i < 512; ++i) {
    fingerprint.push_back(table[(long)((double)i / 512 * (size - 1))]);
  }
  std::lock_guard<std::mutex> lock(mutex);
  for (const auto& one : known) {
    if (one->fingerprint == fingerprint) {
      return one->data.data();
    }
  }
  auto one = std::make_unique<Turned<T>>();
  one->fingerprint = fingerprint;
  one->data.resize(size);
  for (long row = 0; row < rows; ++row) {
    for (int channel = 0; channel < channels; ++channel) {
      for (int c = 0; c < 6; ++c) {
        one->data[(row * 6 + c) * channels + channel] = table[(row * channels + channel) * 6 + c];
      }
    }
  }
  known.push_back(std::move(one));
  return known.back()->data.data();
}

// Row of the table and distance from its lower end; beyond the table's ends, the distance from
// the end: there the polynomial goes on as a straight line.
template <typename T>
struct Place {
  int row;
  T x, beyond;
};

template <typename T>
inline Place<T> locate(const T* info, T x) {
  const T lower = info[0], upper = info[1], max = info[2], stride0 = info[3], stride1 = info[4];
  if (x < lower) {
    return {0, 0, x - lower};
  }
  if (x < upper) {
    const int row = (int)((x - lower) / stride0);
    return {row, x - (row * stride0 + lower), 0};
  }
  const int first = (int)((upper - lower) / stride0);
  if (x < max) {
    const int row = first + (int)((x - upper) / stride1);
    return {row, x - ((row - first) * stride1 + upper), 0};
  }
  const int row = last_row(info);
  return {row, max - ((row - first) * stride1 + upper), x - max};
}

// Sorted neighbours end in equal, empty ones: the first of them stands for all that follow.
template <typename T>
inline bool is_padding(const bool sorted, const T last, const T x, const T* e) {
  return sorted && last == x && e[1] == 0 && e[2] == 0 && e[3] == 0;
}

// out[i][m][k] = sum_j em[i][j][m] * G_k(em_x[i][j])
template <typename T>
void descriptor(T* out, const T* table, const T* info, const T* em_x, const T* em, const int nloc,
                const int nnei, const int channels, const bool sorted) {
  memset(out, 0, sizeof(T) * (size_t)nloc * 4 * channels);
  if (nnei <= 0) {
    return;
  }
  const T* by_channel = turned(table, info, channels);
#pragma omp parallel for
  for (int i = 0; i < nloc; ++i) {
    T* __restrict o0 = out + (size_t)i * 4 * channels;
    T *__restrict o1 = o0 + channels, *__restrict o2 = o1 + channels, *__restrict o3 = o2 + channels;
    const T last = em_x[(size_t)i * nnei + nnei - 1];
    for (int j = 0; j < nnei; ++j) {
      const T* e = em + ((size_t)i * nnei + j) * 4;
      const T given = em_x[(size_t)i * nnei + j];
      const bool padding = is_padding(sorted, last, given, e);
      const T times = padding ? nnei - j : 1;
      const T e0 = e[0] * times, e1 = e[1] * times, e2 = e[2] * times, e3 = e[3] * times;
      const Place<T> p = locate(info, given);
      const T* __restrict a = by_channel + (size_t)p.row * 6 * channels;
      const T x = p.x, beyond = p.beyond;
#pragma omp simd
      for (int k = 0; k < channels; ++k) {
        const T a1 = a[k + channels], a2 = a[k + 2 * channels], a3 = a[k + 3 * channels],
                a4 = a[k + 4 * channels], a5 = a[k + 5 * channels];
        const T slope = a1 + (2 * a2 + (3 * a3 + (4 * a4 + 5 * a5 * x) * x) * x) * x;
        const T g = a[k] + (a1 + (a2 + (a3 + (a4 + a5 * x) * x) * x) * x) * x + slope * beyond;
        o0[k] += g * e0;
        o1[k] += g * e1;
        o2[k] += g * e2;
        o3[k] += g * e3;
      }
      if (padding) {
        break;
      }
    }
  }
}

// The derivatives of sum(dy * out) with respect to em_x and em.
template <typename T>
void descriptor_gradient(T* d_x, T* d_em, const T* table, const T* info, const T* em_x, const T* em,
                         const T* dy, const int nloc, const int nnei, const int channels,
                         const bool sorted) {
  if (nnei <= 0) {
    return;
  }
  memset(d_x, 0, sizeof(T) * (size_t)nloc * nnei);
  memset(d_em, 0, sizeof(T) * (size_t)nloc * nnei * 4);
  const T* by_channel = turned(table, info, channels);
#pragma omp parallel for
  for (int i = 0; i < nloc; ++i) {
    const T* __restrict r0 = dy + (size_t)i * 4 * channels;
    const T *__restrict r1 = r0 + channels, *__restrict r2 = r1 + channels,
            *__restrict r3 = r2 + channels;
    const T last = em_x[(size_t)i * nnei + nnei - 1];
    for (int j = 0; j < nnei; ++j) {
      const size_t ij = (size_t)i * nnei + j;
      const T* e = em + ij * 4;
      const bool padding = is_padding(sorted, last, em_x[ij], e);
      const T times = padding ? nnei - j : 1;
      const T e0 = e[0], e1 = e[1], e2 = e[2], e3 = e[3];
      const Place<T> p = locate(info, em_x[ij]);
      const T* __restrict a = by_channel + (size_t)p.row * 6 * channels;
      const T x = p.x, beyond = p.beyond;
      T sum = 0, s0 = 0, s1 = 0, s2 = 0, s3 = 0;
#pragma omp simd reduction(+ : sum, s0, s1, s2, s3)
      for (int k = 0; k < channels; ++k) {
        const T a1 = a[k + channels], a2 = a[k + 2 * channels], a3 = a[k + 3 * channels],
                a4 = a[k + 4 * channels], a5 = a[k + 5 * channels];
        const T slope = a1 + (2 * a2 + (3 * a3 + (4 * a4 + 5 * a5 * x) * x) * x) * x;
        const T g = a[k] + (a1 + (a2 + (a3 + (a4 + a5 * x) * x) * x) * x) * x + slope * beyond;
        sum += slope * (e0 * r0[k] + e1 * r1[k] + e2 * r2[k] + e3 * r3[k]);
        s0 += g * r0[k];
        s1 += g * r1[k];
        s2 += g * r2[k];
        s3 += g * r3[k];
      }
      d_x[ij] = sum * times;
      d_em[ij * 4] = s0 * times;
      d_em[ij * 4 + 1] = s1 * times;
      d_em[ij * 4 + 2] = s2 * times;
      d_em[ij * 4 + 3] = s3 * times;
      if (padding) {
        break;
      }
    }
  }
}

}  // namespace

namespace deepmd {

template <typename T>
void tabulate_fusion_se_a_cpu(T*, const T*, const T*, const T*, const T*, const T*, const int,
                              const int, const int, const bool, const int);
template <typename T>
void tabulate_fusion_se_a_grad_cpu(T*, T*, T*, const T*, const T*, const T*, const T*, const T*,
                                   const T*, const int, const int, const int, const bool,
                                   const int);
template <typename T>
void prod_virial_a_cpu(T*, T*, const T*, const T*, const T*, const int*, const int, const int,
                       const int);

// `two_embed` (se_atten) and other numbers of components are not of this book's models: loud.
#define REFUSE(condition)                                                                         \
  if (condition) {                                                                                \
    throw std::runtime_error("zif4 kernels: not an se_e2_a model; run with ZIF4_KERNELS=off");   \
  }

template <>
void tabulate_fusion_se_a_cpu<float>(float* out, const float* table, const float* info,
                                     const float* em_x, const float* em, const float* two_embed,
                                     const int nloc, const int nnei, const int channels,
                                     const bool sorted, const int components) {
  REFUSE(two_embed || components != 4)
  descriptor(out, table, info, em_x, em, nloc, nnei, channels, sorted);
}

template <>
void tabulate_fusion_se_a_grad_cpu<float>(float* d_x, float* d_em, float* d_two,
                                          const float* table, const float* info,
                                          const float* em_x, const float* em,
                                          const float* two_embed, const float* dy, const int nloc,
                                          const int nnei, const int channels, const bool sorted,
                                          const int components) {
  REFUSE(two_embed || components != 4)
  descriptor_gradient(d_x, d_em, table, info, em_x, em, dy, nloc, nnei, channels, sorted);
}

// virial = sum over atoms i, neighbours j of r_ij (dE/dr_ij); DeePMD-kit's own adds every one of
// its 36 terms a neighbour by an atomic operation.
template <>
void prod_virial_a_cpu<double>(double* virial, double* atom_virial, const double* net_deriv,
                               const double* env_deriv, const double* rij, const int* nlist,
                               const int nloc, const int nall, const int nnei) {
  memset(atom_virial, 0, sizeof(double) * (size_t)nall * 9);
  double total[9] = {0};
  for (size_t i = 0; i < (size_t)nloc; ++i) {
    for (size_t ij = i * nnei; ij < (i + 1) * nnei; ++ij) {
      const int j = nlist[ij];
      if (j < 0) {
        continue;
      }
      double* __restrict of_atom = atom_virial + (size_t)j * 9;
      for (int d = 0; d < 3; ++d) {
        double force = 0;
        for (int a = 0; a < 4; ++a) {
          force += net_deriv[ij * 4 + a] * env_deriv[(ij * 4 + a) * 3 + d];
        }
        for (int c = 0; c < 3; ++c) {
          const double term = force * rij[ij * 3 + c];
          total[d * 3 + c] += term;
          of_atom[d * 3 + c] += term;
        }
      }
    }
  }
  memcpy(virial, total, sizeof(total));
}

}  // namespace deepmd
