/* LMDB 0.9.24 (Debian liblmdb-dev), the five calls of Linux that the Glibc module leaves out, and
   the one instruction that Swift cannot say. Storage is the only importer. */
#include <fcntl.h>
#include <linux/stat.h>
#include <lmdb.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Asks for a cache line, and goes on. */
static inline void quell_prefetch(const void *line) { __builtin_prefetch(line); }

/* Which file this is: its inode and, where the file system knows it, when that was made; 0 or -1.
   See statx(2). By number, because glibc declares it only under _GNU_SOURCE, with which types would
   differ from those of the Glibc module. */
static inline int quell_file_birth(const char *path, uint64_t *inode, uint64_t *nanoseconds) {
    struct statx about;
    if (syscall(SYS_statx, AT_FDCWD, path, 0, STATX_INO | STATX_BTIME, &about) != 0) return -1;
    *inode = about.stx_ino;
    *nanoseconds = about.stx_mask & STATX_BTIME
        ? (uint64_t)about.stx_btime.tv_sec * 1000000000u + about.stx_btime.tv_nsec : 0;
    return 0;
}
