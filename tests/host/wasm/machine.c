/* The kernels on the host, driven over stdin: a total of floats, then commands, all 32-bit words.
   1 LOAD address count data; 2 RUN scratch threads words program ranges (address count)*; 3 READ address count;
   4 PREDICT runs scratch threads instructions words program inputs (address count data)* outputs (address count)*.
   During a RUN only the ranges may be touched: everything else is poisoned for the address sanitizer.
   PREDICT does as machine.js does: workers serve, every run is fed anew, called by thread 0, and its outputs written. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stdint.h>
#include <unistd.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) (void)(p)
#define ASAN_UNPOISON_MEMORY_REGION(p, n) (void)(p)
#endif

void run(const int32_t *program, float *base, float *scratch, int thread, int threads, int32_t *shared);

typedef struct { const int32_t *program; float *base, *scratch; int thread, threads; int32_t *shared; } Job;

void run_all(const int32_t *program, int count, float *base, float *scratch, int threads, int32_t *shared);
void serve(const int32_t *program, float *base, float *scratch, int thread, int threads, int32_t *shared);

static void *life(void *p) {
  Job *j = p;
  serve(j->program, j->base, j->scratch, j->thread, j->threads, j->shared);
  return 0;
}

static void *work(void *p) {
  Job *j = p;
  run(j->program, j->base, j->scratch, j->thread, j->threads, j->shared);
  return 0;
}

static int32_t word(void) {
  int32_t w;
  if (fread(&w, 4, 1, stdin) != 1) exit(3);
  return w;
}

static void *words(int n) {
  int32_t *p = malloc((size_t)n * 4 + 4);
  if (fread(p, 4, n, stdin) != (size_t)n) exit(3);
  return p;
}

static void predict(float *base) {
  int32_t runs = word(), scratch = word(), threads = word(), instructions = word(), n = word(), *program = words(n);
  int32_t inputs = word(), at[16][2], *data[16], *shared = calloc(2 * instructions + 2, 4);
  for (int i = 0; i < inputs; i++) at[i][0] = word(), at[i][1] = word(), data[i] = words(at[i][1]);
  int32_t outputs = word(), *range = words(2 * outputs);
  static Job job[16];
  for (int t = 0; t < threads; t++) {
    job[t] = (Job){program, base, malloc((size_t)scratch * 4 + 4), t, threads, shared};
    pthread_t id;
    if (t) pthread_create(&id, 0, life, job + t), pthread_detach(id);
  }
  for (int r = 0; r < runs; r++) {
    for (int i = 0; i < inputs; i++) memcpy(base + at[i][0], data[i], (size_t)at[i][1] * 4);
    if (threads == 1) run(program, base, job->scratch, 0, 1, shared);
    else run_all(program, instructions, base, job->scratch, threads, shared);
    for (int i = 0; i < outputs; i++) fwrite(base + range[2 * i], 4, range[2 * i + 1], stdout);
  }
}

int main(void) {
  size_t total = word();
  float *base = aligned_alloc(64, (total * 4 + 127) / 64 * 64);
  for (int32_t command; fread(&command, 4, 1, stdin) == 1;) {
    if (command == 1) {
      int32_t at = word(), n = word();
      void *data = words(n);
      memcpy(base + at, data, (size_t)n * 4);
      free(data);
    } else if (command == 2) {
      int32_t scratch = word(), threads = word(), n = word();
      int32_t *program = words(n), ranges = word(), *range = words(2 * ranges);
      ASAN_POISON_MEMORY_REGION(base, total * 4);
      for (int i = 0; i < ranges; i++) ASAN_UNPOISON_MEMORY_REGION(base + range[2 * i], (size_t)range[2 * i + 1] * 4);
      int32_t *shared = calloc(2 * n + 4, 4);
      Job job[16];
      pthread_t id[16];
      for (int t = 0; t < threads; t++) {
        job[t] = (Job){program, base, malloc((size_t)scratch * 4 + 4), t, threads, shared};
        if (t) pthread_create(id + t, 0, work, job + t);
      }
      work(job);
      for (int t = 1; t < threads; t++) pthread_join(id[t], 0);
      for (int t = 0; t < threads; t++) free(job[t].scratch);
      ASAN_UNPOISON_MEMORY_REGION(base, total * 4);
      free(shared);
      free(program);
      free(range);
    } else if (command == 4) {
      predict(base);
    } else {
      int32_t at = word(), n = word();
      fwrite(base + at, 4, n, stdout);
    }
  }
  fflush(stdout);
  _exit(0); /* workers, if any, still serve */
}
