/* LMDB 0.9.24 (Debian liblmdb-dev), the four calls of Linux that the Glibc module leaves out, and
   the one instruction that Swift cannot say. Storage is the only importer. */
#include <lmdb.h>
#include <malloc.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/vfs.h>

/* Asks for a cache line, and goes on. */
static inline void quell_prefetch(const void *line) { __builtin_prefetch(line); }
