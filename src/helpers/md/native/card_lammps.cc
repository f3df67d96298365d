// One LAMMPS after another at one place of a group, with the forces of card_potential.cu.
//
// card_lammps LIBLAMMPS SHARED GROUP PLACE JOBS: a line of JOBS has a directory, or several, made one
// after the other; "B<A" starts where A ended. Every place takes the next line when it is free. A
// directory has start.data and in.card, LAMMPS' input, in which `fix card all external
// pf/callback 1 1` stands for the potential.
//
// Units: metal (eV, A, ps).

#include <dlfcn.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "card.h"

namespace {

typedef void (*Callback)(void*, int64_t, int, int*, double**, double**);

struct Library {
  void* handle;
  void* (*open)(int, char**, void**);
  void (*close)(void*);
  void (*command)(void*, const char*);
  int (*has_error)(void*);
  int (*last_error)(void*, char*, int);
  void* (*atom)(void*, const char*);
  void (*box)(void*, double*, double*, double*, double*, double*, int*, int*);
  void (*set_callback)(void*, const char*, Callback, void*);
  void (*set_energy)(void*, const char*, double);
  void (*set_virial)(void*, const char*, double*);

  template <typename F>
  void find(F& f, const char* name) {
    f = (F)dlsym(handle, name);
    if (!f) {
      fprintf(stderr, "card: LAMMPS has no %s\n", name);
      exit(1);
    }
  }
  explicit Library(const char* file) : handle(dlopen(file, RTLD_NOW | RTLD_GLOBAL)) {
    if (!handle) {
      fprintf(stderr, "card: %s\n", dlerror());
      exit(1);
    }
    find(open, "lammps_open_no_mpi"), find(close, "lammps_close"), find(command, "lammps_command");
    find(has_error, "lammps_has_error"), find(last_error, "lammps_get_last_error_message");
    find(atom, "lammps_extract_atom"), find(box, "lammps_extract_box");
    find(set_callback, "lammps_set_fix_external_callback");
    find(set_energy, "lammps_fix_external_set_energy_global");
    find(set_virial, "lammps_fix_external_set_virial_global");
  }
};

struct Run {
  Library* library;
  void* lammps;
  card::Header* header;
  card::Group* group;
  int place;
  std::vector<int> slot;  // of each tag: sorted by type
  std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();

  card::Place& state() { return card::at<card::Place>(header, group->states)[place]; }

  void order(int n, const int* tags) {
    const int* types = (const int*)library->atom(lammps, "type");
    std::vector<int> type(n + 1);
    for (int i = 0; i < n; ++i) type[tags[i]] = types[i];
    slot.assign(n + 1, 0);
    int next = 0;
    for (int t = 1; t <= card::TYPES; ++t) {
      const int before = next;
      for (int tag = 1; tag <= n; ++tag) {
        if (type[tag] == t) slot[tag] = next++;
      }
      if (next - before != group->of_type[t - 1]) {
        fprintf(stderr, "card: %d atoms of type %d where %d are expected\n", next - before, t,
                group->of_type[t - 1]);
        leave(1);
      }
    }
  }

  void say_how_long() const {
    const std::chrono::duration<double> s = std::chrono::steady_clock::now() - began;
    std::ofstream("card.seconds") << s.count() << "\n";
  }

  [[noreturn]] void leave(int code) {
    say_how_long();
    state().state.store(card::ABSENT);
    fflush(nullptr);
    _exit(code);
  }

  void forces(int n, const int* tags, double** x, double** f) {
    if (n != group->atoms) {
      fprintf(stderr, "card: %d atoms where %d are expected\n", n, group->atoms);
      leave(1);
    }
    if (slot.empty()) order(n, tags);
    double lo[3], hi[3], xy, yz, xz;
    int periodic[3], change;
    library->box(lammps, lo, hi, &xy, &yz, &xz, periodic, &change);
    double* cell = card::at<double>(header, group->cells) + card::CELL * place;
    const double rows[9] = {hi[0] - lo[0], 0, 0, xy, hi[1] - lo[1], 0, xz, yz, hi[2] - lo[2]};
    std::copy(rows, rows + 9, cell);
    double* positions = card::at<double>(header, group->positions) + 3l * place * n;
    for (int i = 0; i < n; ++i) {
      double* to = positions + 3 * slot[tags[i]];
      for (int c = 0; c < 3; ++c) to[c] = x[i][c];
    }
    state().state.store(card::ASKS, std::memory_order_release);
    for (int turn = 0; state().state.load(std::memory_order_acquire) != card::ANSWERED; ++turn) {
      if (header->stop.load(std::memory_order_relaxed)) leave(0);  // its last restart file is there
      if (group->places > 4) {
        usleep(20);  // there are more runs than cores
      } else if (turn > 100) {
        sched_yield();
      }
    }
    state().state.store(card::BUSY, std::memory_order_release);
    const float* mine = card::at<float>(header, group->forces) + 3l * place * n;
    for (int i = 0; i < n; ++i) {
      const float* from = mine + 3 * slot[tags[i]];
      for (int c = 0; c < 3; ++c) f[i][c] = from[c];
    }
    double* results = card::at<double>(header, group->results) + card::RESULTS * place;
    if (results[7] != 0) {
      const char* why = "an atom has more neighbours than the model, or the cell is too thin";
      fprintf(stderr, "card: %s\n", why);
      std::ofstream("card.error") << why << "\n";
      leave(2);
    }
    library->set_energy(lammps, "card", results[0]);
    library->set_virial(lammps, "card", results + 1);
  }
};

void called(void* run, int64_t, int n, int* tags, double** x, double** f) {
  ((Run*)run)->forces(n, tags, x, f);
}

void one(Library& library, card::Header* header, card::Group* group, int place) {
  const char* arguments[] = {"lammps", "-log", "lammps.out", "-screen", "none"};
  Run run = {&library, nullptr, header, group, place, {}};
  run.lammps = library.open(5, (char**)arguments, nullptr);
  std::ifstream input("in.card");
  std::string line, why;
  char text[2048];
  bool good = (bool)input;
  while (good && std::getline(input, line)) {
    library.command(run.lammps, line.c_str());
    if (library.has_error(run.lammps)) {
      library.last_error(run.lammps, text, sizeof text);
      FILE* out = fopen("card.error", "w");
      fprintf(out, "%s", text);
      fclose(out);
      good = false;
    } else if (line.rfind("fix card ", 0) == 0) {
      library.set_callback(run.lammps, "card", called, &run);
      run.state().state.store(card::BUSY);
    }
  }
  run.state().state.store(card::ABSENT);
  run.say_how_long();
  library.close(run.lammps);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    fprintf(stderr, "card: give LAMMPS' library, the shared file, group, place and jobs\n");
    return 1;
  }
  Library library(argv[1]);
  const int file = open(argv[2], O_RDWR);
  struct stat size;
  if (file < 0 || fstat(file, &size)) return 1;
  void* there = mmap(nullptr, size.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (there == MAP_FAILED) return 1;
  auto* header = (card::Header*)there;
  card::Group* group = &header->group[atoi(argv[3])];
  std::vector<std::string> jobs;
  std::ifstream list(argv[5]);
  for (std::string line; std::getline(list, line);) jobs.push_back(line);
  prctl(PR_SET_TIMERSLACK, 1000);  // ns
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  char home[4096];
  if (!getcwd(home, sizeof home)) return 1;
  while (!header->ready.load()) usleep(1000);
  for (;;) {
    const size_t next = group->next_job.fetch_add(1);
    if (next >= jobs.size() || header->stop.load()) return 0;
    std::istringstream words(jobs[next]);
    for (std::string directory; words >> directory;) {
      std::string before;
      const size_t mark = directory.find('<');
      if (mark != std::string::npos) before = directory.substr(mark + 1), directory.resize(mark);
      if (chdir(home) || chdir(directory.c_str())) {
        fprintf(stderr, "card: no directory %s\n", directory.c_str());
        break;
      }
      if (!before.empty()) {
        std::ifstream end(std::string(home) + "/" + before + "/end.data", std::ios::binary);
        std::ofstream("start.data", std::ios::binary) << end.rdbuf();
      }
      one(library, header, group, atoi(argv[4]));  // what goes on from a run that died dies too
    }
  }
}
